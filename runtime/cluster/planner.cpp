#include "runtime/cluster/planner.hpp"

#include <algorithm>
#include <cassert>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>

#include "runtime/console/error.hpp"

namespace flowspec {

namespace planning {

namespace {

constexpr double never = std::numeric_limits<double>::infinity();

/// Which nodes may follow a beginning of the pipeline. A state is what the choice depends on.
class Paths {
 public:
  using Next = std::function<void(std::size_t node, std::size_t state)>;

  /// Any node that was not used yet: a state is the set of used nodes, and the last one.
  static Paths any_order(std::size_t nodes) {
    Paths paths;
    paths.nodes_ = nodes;
    return paths;
  }

  /// Nodes of this order only, some of which are skipped: a state is the last one.
  static Paths in_order(std::vector<std::size_t> order) {
    Paths paths;
    paths.nodes_ = order.size();
    paths.order_ = std::move(order);
    return paths;
  }

  /// Later states follow earlier ones.
  std::size_t count() const { return has_order() ? nodes_ : (std::size_t{1} << nodes_) * nodes_; }
  std::size_t last(std::size_t state) const { return has_order() ? order_[state] : state % nodes_; }
  bool uses(std::size_t state, std::size_t node) const {
    return has_order() ? last(state) == node : (state / nodes_ >> node & 1U) != 0;
  }

  template <class Function>
  void begin(const Function& next) const {
    for (std::size_t i = 0; i < nodes_; ++i)
      has_order() ? next(order_[i], i) : next(i, (std::size_t{1} << i) * nodes_ + i);
  }

  template <class Function>
  void follow(std::size_t state, const Function& next) const {
    if (has_order()) {
      for (std::size_t i = state + 1; i < nodes_; ++i)
        next(order_[i], i);
      return;
    }
    auto used = state / nodes_;
    for (std::size_t i = 0; i < nodes_; ++i)
      if ((used >> i & 1U) == 0)
        next(i, (used | std::size_t{1} << i) * nodes_ + i);
  }

 private:
  bool has_order() const { return !order_.empty(); }

  std::size_t nodes_ = 0;
  std::vector<std::size_t> order_;
};

enum class Aim { trip, step };

/// Finds the plan with the shortest trip, or step, all of whose parts take less than a limit.
class Search {
 public:
  Search(const Figures& figures, const Paths& paths)
      : figures_(figures),
        paths_(paths),
        width_(figures.layers() + 1),
        best_(paths.count() * width_),
        from_(paths.count() * width_) {}

  /// Infinite: there is none.
  double run(Aim aim, double limit) {
    aim_ = aim;
    limit_ = limit;
    std::ranges::fill(best_, never);
    paths_.begin([&](std::size_t node, std::size_t state) {
      extend(figures_.request().head_s, figures_.asker(), {none, 0}, node, state);
    });
    for (std::size_t state = 0; state < paths_.count(); ++state)
      for (std::uint32_t end = 1; end < figures_.layers(); ++end)
        if (auto value = best_[state * width_ + end]; value < never)
          paths_.follow(state, [&](std::size_t node, std::size_t next) {
            extend(value, paths_.last(state), {state, end}, node, next);
          });
    final_ = none;
    auto best = never;
    for (std::size_t state = 0; state < paths_.count(); ++state)
      if (auto value = total(state); value < best) {
        best = value;
        final_ = state;
      }
    return best;
  }

  /// Of the last run: the value of the best plan that has the node.
  double with(std::size_t node) const {
    auto best = never;
    for (std::size_t state = 0; state < paths_.count(); ++state)
      if (paths_.uses(state, node))
        best = std::min(best, total(state));
    return best;
  }

  /// The plan that the last run found.
  Plan plan() const {
    Plan plan;
    From at{final_, figures_.layers()};
    while (at.state != none) {
      const auto& before = from_[at.state * width_ + at.end];
      auto node = paths_.last(at.state);
      auto previous = before.state == none ? figures_.asker() : paths_.last(before.state);
      plan.stages.insert(plan.stages.begin(), {node,
                                               {before.end, at.end},
                                               figures_.stage_s(node, before.end, at.end),
                                               figures_.link_s(previous, node),
                                               figures_.latency_s(previous, node),
                                               figures_.memory(before.end, at.end)});
      at = before;
    }
    auto last = plan.stages.back().node;
    plan.last_link_s = figures_.link_s(last, figures_.asker());
    plan.last_latency_s = figures_.latency_s(last, figures_.asker());
    const auto& request = figures_.request();
    plan.step_s = std::max(request.head_s, plan.last_link_s);
    plan.trip_s = request.head_s + plan.last_link_s + plan.last_latency_s;
    for (const PlannedStage& stage : plan.stages) {
      plan.step_s = std::max({plan.step_s, stage.seconds, stage.link_s});
      plan.trip_s += stage.seconds + stage.link_s + stage.latency_s;
    }
    plan.token_s = request.pipelined * plan.step_s + (1 - request.pipelined) * plan.trip_s;
    return plan;
  }

 private:
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
  struct From {
    std::size_t state = none;
    std::uint32_t end = 0;
  };

  double added(double value, double part_s, double latency_s) const {
    return aim_ == Aim::trip ? value + part_s + latency_s : std::max(value, part_s);
  }

  void extend(double value, std::size_t previous, const From& from, std::size_t node,
              std::size_t state) {
    if (!figures_.reaches(previous, node))
      return;
    auto link_s = figures_.link_s(previous, node);
    if (link_s >= limit_)
      return;
    auto arrived = added(value, link_s, figures_.latency_s(previous, node));
    auto most = figures_.longest(node, from.end);
    for (std::uint32_t end = from.end + 1; end <= most; ++end) {
      auto stage_s = figures_.stage_s(node, from.end, end);
      if (stage_s >= limit_)
        return;
      auto at = state * width_ + end;
      if (auto sum = added(arrived, stage_s, 0); sum < best_[at]) {
        best_[at] = sum;
        from_[at] = from;
      }
    }
  }

  /// With the way back to the asker.
  double total(std::size_t state) const {
    auto value = best_[state * width_ + figures_.layers()];
    if (value == never || !figures_.reaches(paths_.last(state), figures_.asker()))
      return never;
    auto link_s = figures_.link_s(paths_.last(state), figures_.asker());
    return link_s >= limit_
               ? never
               : added(value, link_s, figures_.latency_s(paths_.last(state), figures_.asker()));
  }

  const Figures& figures_;
  const Paths& paths_;
  const std::size_t width_;
  Aim aim_ = Aim::trip;
  double limit_ = never;
  std::vector<double> best_;
  std::vector<From> from_;
  std::size_t final_ = none;
};

struct Found {
  Plan plan;
  /// By node.
  std::vector<Least> with;
};

/// The shortest trip for every limit on the step, from none downwards: among these plans is the best
/// one, since for each step only the shortest trip counts. It ends where even the shortest step
/// there is could not make up for the trip.
std::optional<Found> best_of(const Figures& figures, const Paths& paths) {
  Search search(figures, paths);
  const auto& request = figures.request();
  auto least_step = search.run(Aim::step, never);
  if (least_step == never)
    return std::nullopt;
  Found found;
  for (std::size_t node = 0; node < figures.nodes(); ++node)
    found.with.push_back({search.with(node), never});
  auto trip = search.run(Aim::trip, never);
  for (std::size_t node = 0; node < figures.nodes(); ++node)
    found.with[node].trip_s = search.with(node);
  found.plan = search.plan();
  auto limit = found.plan.step_s;
  while (limit > least_step) {
    trip = search.run(Aim::trip, limit);
    if (trip == never ||
        request.pipelined * least_step + (1 - request.pipelined) * trip > found.plan.token_s)
      break;
    auto plan = search.plan();
    limit = plan.step_s;
    if (plan.token_s < found.plan.token_s)
      found.plan = std::move(plan);
  }
  return found;
}

double seconds_of_all(const PlanNode& node) {
  return std::accumulate(node.layer_s.begin(), node.layer_s.end(), node.stage_s);
}

/// Moves one node at a time to the place where that helps, until nothing does.
std::optional<Found> improved(const Figures& figures, std::vector<std::size_t> order) {
  auto best = best_of(figures, Paths::in_order(order));
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    for (std::size_t from = 0; from < order.size(); ++from)
      for (std::size_t to = 0; to < order.size(); ++to) {
        auto other = order;
        other.erase(other.begin() + static_cast<std::ptrdiff_t>(from));
        other.insert(other.begin() + static_cast<std::ptrdiff_t>(to), order[from]);
        auto found = best_of(figures, Paths::in_order(other));
        // Much less than anybody could measure is no improvement: it has to end.
        if (found && (!best || found->plan.token_s < best->plan.token_s * (1 - 1e-9))) {
          best = std::move(found);
          order = std::move(other);
          goes_on = true;
        }
      }
  }
  return best;
}

std::optional<Found> best_of_many(const Figures& figures) {
  const auto& nodes = figures.request().nodes;
  std::vector<std::size_t> order(nodes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return seconds_of_all(nodes[i]); });
  auto best = improved(figures, order);
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return nodes[i].memory; });
  auto other = improved(figures, order);
  if (!best || (other && other->plan.token_s < best->plan.token_s))
    best = std::move(other);
  return best;
}

}  // namespace

Figures::Figures(const PlanRequest& request)
    : request_(request), layers_(static_cast<std::uint32_t>(request.layers.size())) {
  weights_.push_back(0);
  kv_.push_back(0);
  for (const PlanLayer& layer : request.layers) {
    weights_.push_back(weights_.back() + layer.weights);
    kv_.push_back(kv_.back() + layer.kv);
  }
  for (const PlanNode& node : request.nodes) {
    auto& sums = seconds_.emplace_back(1, 0.0);
    for (std::uint32_t layer = 0; layer < layers_; ++layer)
      sums.push_back(sums.back() + (node.refusal.empty() ? node.layer_s.at(layer) : 0));
    auto& longest = longest_.emplace_back();
    for (std::uint32_t first = 0; first < layers_; ++first) {
      auto end = std::max(first, first == 0 ? 0 : longest.back());
      while (node.refusal.empty() && end < layers_ && memory(first, end + 1) <= node.memory &&
             kv(first, end + 1) <= node.kv_limit)
        ++end;
      longest.push_back(end);
    }
  }
}

double Figures::stage_s(std::size_t node, std::uint32_t first, std::uint32_t end) const {
  return request_.nodes[node].stage_s + seconds_[node][end] - seconds_[node][first];
}

std::uint64_t Figures::memory(std::uint32_t first, std::uint32_t end) const {
  return weights_[end] - weights_[first] + kv(first, end) + request_.stage_memory;
}

std::uint64_t Figures::kv(std::uint32_t first, std::uint32_t end) const {
  return kv_[end] - kv_[first];
}

std::uint32_t Figures::longest(std::size_t node, std::uint32_t first) const {
  return longest_[node][first];
}

double Figures::link_s(std::size_t from, std::size_t to) const {
  auto rate = link(from, to).bytes_per_s;
  auto bytes = from == asker() ? request_.first_bytes : request_.hop_bytes;
  return rate > 0 ? bytes / rate : 0;
}

}  // namespace planning

Plan make_plan(const PlanRequest& request) {
  assert(!request.layers.empty() && request.links.size() == request.nodes.size() + 1);
  using namespace planning;
  Figures figures(request);
  auto found = request.nodes.size() <= most_ordered_nodes
                   ? best_of(figures, Paths::any_order(request.nodes.size()))
                   : best_of_many(figures);
  if (!found)
    throw RuntimeError(ErrorCode::does_not_fit, impossible(figures));
  if (request.slack > 0) {
    std::vector<std::size_t> order(request.nodes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    auto listed = best_of(figures, Paths::in_order(order));
    if (listed && listed->plan.token_s <= found->plan.token_s * (1 + request.slack))
      found->plan = std::move(listed->plan);
  }
  found->plan.left_out = reasons(figures, found->plan, found->with);
  return std::move(found->plan);
}

double pipelined_share(std::string_view mode) {
  // An assumption, not a measurement: drafts and texts differ too much for one figure.
  constexpr double usual = 0.75;
  return mode == "ar" || mode == "chain" ? 0 : usual;
}

}  // namespace flowspec
