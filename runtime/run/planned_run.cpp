#include "runtime/run/planned_run.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/link_probe.hpp"
#include "actors/pipeline/session.hpp"
#include "actors/policy/modes/modes.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/type_ids.hpp"
#include "messages/limits.hpp"
#include "models/numerics.hpp"
#include "runtime/cluster/ask.hpp"
#include "runtime/cluster/nodes.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/console/output.hpp"

namespace flowspec {

namespace {

/// A node may read layers from a slow disk, behind others that measure.
constexpr std::chrono::seconds measure_limit{60};
constexpr std::chrono::seconds link_limit{20};

/// What is asked of the nodes, and how they answer.
class Inquiry {
 public:
  Inquiry(caf::actor_system& system, const Engine& engine, const RunSpec& spec)
      : system_(system), engine_(engine), spec_(spec), self_(system) {}

  ~Inquiry() {
    for (const RemoteNode& node : nodes_)
      if (node.agent)
        end_actor(node.agent);
  }
  Inquiry(const Inquiry&) = delete;
  Inquiry& operator=(const Inquiry&) = delete;

  void join(Unreachable unreachable) {
    auto owner = caf::actor_cast<caf::actor>(self_);
    if (unreachable == Unreachable::is_error) {
      nodes_ = join_nodes(system_, spec_.cluster.nodes, owner);
      problems_.resize(nodes_.size());
      return;
    }
    for (const Address& address : spec_.cluster.nodes) {
      RemoteNode node{address, {}, {}, {}};
      std::string problem;
      try {
        node = join_nodes(system_, {address}, owner).front();
        for (const RemoteNode& other : nodes_)
          if (other.id == node.id)
            problem = fmt::format("it is the node {} once more", other.address.text());
      } catch (const RuntimeError& e) {
        problem = e.what();
      }
      nodes_.push_back(std::move(node));
      problems_.push_back(std::move(problem));
    }
  }

  /// All nodes measure at the same time.
  std::vector<PlanCandidate> candidates(bool is_strict) {
    auto file = engine_.target().files->path().filename().string();
    // As many threads as a stage of the run will ask for.
    auto threads = engine_.threads();
    auto asked = static_cast<std::uint16_t>(spec_.threads != 0 || threads == 1 ? threads : 0);
    using Answer =
        decltype(self_->request(nodes_.front().agent, measure_limit, speed_a_v, file, asked));
    std::vector<std::pair<std::size_t, Answer>> answers;
    std::vector<PlanCandidate> candidates;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const RemoteNode& node = nodes_[i];
      candidates.push_back(
          {node.agent ? node.label() : node.address.text(), node.info, problems_[i]});
      if (problems_[i].empty())
        answers.emplace_back(i, self_->request(node.agent, measure_limit, speed_a_v, file, asked));
    }
    for (auto& [i, answer] : answers)
      answer.receive(
          [&candidate = candidates[i]](const NodeInfoMessage& message) {
            if (auto info = message.read())
              candidate.info = *info;
          },
          [&candidate = candidates[i]](const caf::error& error) {
            candidate.info.no_speed = fmt::format("it could not measure: {}", error_text(error));
          });
    for (PlanCandidate& candidate : candidates) {
      candidate.info.name = one_line(candidate.info.name);
      candidate.info.no_speed = one_line(candidate.info.no_speed);
      if (!is_strict && candidate.refusal.empty())
        candidate.refusal = other_numerics(candidate.info);
    }
    return candidates;
  }

  /// One after the other, or each would slow the others down.
  std::vector<std::vector<PlanLink>> links() {
    auto asker = nodes_.size();
    std::vector<std::vector<PlanLink>> links(asker + 1, std::vector<PlanLink>(asker + 1));
    for (std::size_t from = 0; from < asker; ++from) {
      if (!problems_[from].empty())
        continue;
      if (auto probed = probe_link(self_, nodes_[from].agent))
        links[from][asker] = links[asker][from] =
            plan_link(probed->round_trip, probed->bytes_per_s);
      for (std::size_t to = 0; to < asker; ++to)
        if (to != from && problems_[to].empty())
          links[from][to] = link(nodes_[from], nodes_[to]);
    }
    return links;
  }

  const std::vector<RemoteNode>& nodes() const { return nodes_; }

 private:
  /// In steps of a factor of two: two probes of one link differ, and the plan should not, since nodes keep
  /// the weights of the last one.
  static PlanLink plan_link(std::chrono::microseconds round_trip, std::uint64_t bytes_per_s) {
    constexpr double least_latency_s = 200e-6;
    constexpr double most_bytes_per_s = 1 << 30;
    auto step = [](double value) { return std::exp2(std::round(std::log2(value))); };
    auto latency = std::chrono::duration<double>(round_trip).count() / 2;
    auto rate = std::clamp(static_cast<double>(bytes_per_s), 1.0, most_bytes_per_s);
    return {true, least_latency_s * step(std::max(latency / least_latency_s, 1.0)), step(rate)};
  }

  PlanLink link(const RemoteNode& from, const RemoteNode& to) {
    try {
      auto info = ask<NodeInfoMessage>(self_, from.agent, link_limit, link_a_v, to.address.host,
                                       to.address.port)
                      .read();
      if (info && info->connections.size() == 1) {
        const PeerConnection& found = info->connections.front();
        return plan_link(std::chrono::microseconds(found.round_trip_us), found.link_bytes_per_s);
      }
    } catch (const RuntimeError& e) {
      spdlog::info("node {} does not reach node {}: {}", from.label(), to.label(), e.what());
    }
    return {};
  }

  std::string other_numerics(const NodeInfo& info) const {
    const auto& own = engine_.numerics();
    auto common = common_numerics(own, with_hidden_type(info.numerics, engine_.hidden_type()));
    bool insists = engine_.numerics_choice() == NumericsChoice::bf16;
    return common && (!insists || has_bf16_family(*common))
               ? ""
               : fmt::format(
                     "it computes with numerics {}, this machine with {}: the text would "
                     "depend on where the layers lie",
                     one_line(info.numerics), own);
  }

  caf::actor_system& system_;
  const Engine& engine_;
  const RunSpec& spec_;
  caf::scoped_actor self_;
  std::vector<RemoteNode> nodes_;
  /// By node; empty: it has joined.
  std::vector<std::string> problems_;
};

}  // namespace

bool has_to_plan(const RunSpec& spec) {
  return spec.cluster.nodes.size() > 1 && spec.cluster.layers.empty() && spec.split.empty() &&
         !spec.stages;
}

ClusterPlan plan_run(caf::actor_system& system, const Engine& engine, const RunSpec& spec,
                     std::uint32_t positions, Unreachable unreachable) {
  ClusterPlan result;
  result.addresses = spec.cluster.nodes;
  Inquiry inquiry(system, engine, spec);
  inquiry.join(unreachable);
  result.nodes = inquiry.candidates(unreachable == Unreachable::is_error);
  auto policy =
      mode_policy(spec.mode, static_cast<std::uint32_t>(spec.cluster.nodes.size())).value();
  PlanTask task{engine.target(),      spec.mode,           engine.kv_type(),
                engine.hidden_type(), policy.segment_rows, session_slots(policy, positions)};
  result.request = plan_request(task, result.nodes, inquiry.links());
  result.plan = make_plan(result.request);
  return result;
}

RunSpec planned(caf::actor_system& system, const Engine& engine, const RunSpec& spec,
                std::uint32_t positions) {
  auto result = spec;
  if (!has_to_plan(spec))
    return result;
  std::optional<ProgressBar> bar;
  bar.emplace(fmt::format("planning for {} nodes", spec.cluster.nodes.size()), spec.shows_progress);
  auto cluster = plan_run(system, engine, spec, positions, Unreachable::is_error);
  bar.reset();
  result.cluster.nodes.clear();
  for (const PlannedStage& stage : cluster.plan.stages) {
    result.cluster.nodes.push_back(cluster.addresses[stage.node]);
    result.split.push_back(stage.layers.size());
    result.forecast.push_back(
        stage_speed(engine.target(), *cluster.nodes[stage.node].info.speed, stage.layers));
  }
  for (const LeftOut& left : cluster.plan.left_out) {
    spdlog::warn("node {} is a spare: {}", cluster.nodes[left.node].name, left.why);
    result.cluster.spares.push_back(cluster.addresses[left.node]);
  }
  return result;
}

}  // namespace flowspec
