#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "runtime/cluster/planner.hpp"

namespace flowspec {

namespace planning {

namespace {

/// The memory that the smallest layer needs by itself.
std::uint64_t least_memory(const Figures& figures) {
  auto least = figures.memory(0, 1);
  for (std::uint32_t layer = 1; layer < figures.layers(); ++layer)
    least = std::min(least, figures.memory(layer, layer + 1));
  return least;
}

bool holds_a_layer(const Figures& figures, std::size_t node) {
  for (std::uint32_t layer = 0; layer < figures.layers(); ++layer)
    if (figures.longest(node, layer) > layer)
      return true;
  return false;
}

bool hears(const Figures& figures, std::size_t node) {
  for (std::size_t other = 0; other <= figures.nodes(); ++other)
    if (other != node && figures.reaches(other, node))
      return true;
  return false;
}

bool speaks(const Figures& figures, std::size_t node) {
  for (std::size_t other = 0; other <= figures.nodes(); ++other)
    if (other != node && figures.reaches(node, other))
      return true;
  return false;
}

std::string too_small(const Figures& figures, const PlanNode& node) {
  if (node.memory < least_memory(figures))
    return fmt::format("its {} of free memory hold no layer: the smallest needs {}",
                       memory_text(node.memory), memory_text(least_memory(figures)));
  return fmt::format(
      "its limit of {} for KV (--kv-memory) is below the {} of a layer; a smaller --context needs "
      "less",
      memory_text(node.kv_limit), memory_text(figures.kv(0, 1)));
}

std::string reason(const Figures& figures, std::size_t number, const Plan& plan,
                   const Least& with) {
  const PlanNode& node = figures.request().nodes[number];
  if (!node.refusal.empty())
    return node.refusal;
  if (!holds_a_layer(figures, number))
    return too_small(figures, node);
  if (!hears(figures, number))
    return "nobody reaches it";
  if (!speaks(figures, number))
    return "it reaches nobody";
  if (!std::isfinite(with.trip_s))
    return "with its links and memory there is no way through it for all layers";
  return fmt::format(
      "tokens would take longer with it: a step takes {} at best (without it {}), a trip {} at "
      "best "
      "({})",
      time_text(with.step_s), time_text(plan.step_s), time_text(with.trip_s),
      time_text(plan.trip_s));
}

}  // namespace

std::vector<LeftOut> reasons(const Figures& figures, const Plan& plan,
                             const std::vector<Least>& with) {
  std::vector<LeftOut> left_out;
  for (std::size_t node = 0; node < figures.nodes(); ++node)
    if (std::ranges::find(plan.stages, node, &PlannedStage::node) == plan.stages.end())
      left_out.push_back({node, reason(figures, node, plan, with[node])});
  return left_out;
}

std::string impossible(const Figures& figures) {
  const auto& request = figures.request();
  std::vector<std::string> each;
  std::uint64_t sum = 0;
  std::uint64_t most_kv = 0;
  bool is_reached = false;
  for (std::size_t number = 0; number < request.nodes.size(); ++number) {
    const PlanNode& node = request.nodes[number];
    if (!node.refusal.empty()) {
      each.push_back(fmt::format("{}: {}", node.name, node.refusal));
      continue;
    }
    is_reached = is_reached || figures.reaches(figures.asker(), number);
    sum += node.memory;
    most_kv += node.kv_limit;
    each.push_back(fmt::format("{}: {}", node.name, memory_text(node.memory)));
  }
  auto list = fmt::format("({})", fmt::join(each, ", "));
  auto weights_and_kv = figures.memory(0, figures.layers());
  auto kv = figures.kv(0, figures.layers());
  if (sum < weights_and_kv)
    return fmt::format(
        "the model needs {} (weights, scratch memory, and {} of KV), the nodes have {} {}; name "
        "more "
        "nodes, or ask for a smaller --context",
        memory_text(weights_and_kv), memory_text(kv), memory_text(sum), list);
  if (most_kv < kv)
    return fmt::format(
        "the text needs {} of KV, the nodes allow {} together (--kv-memory of flowspec-node); name "
        "more nodes, or ask for a smaller --context",
        memory_text(kv), memory_text(most_kv));
  if (!is_reached)
    return fmt::format("no node that could hold layers can be reached {}", list);
  return fmt::format(
      "there is no way through the nodes that holds all {} layers: the model needs {}, the nodes "
      "have {} {}, but whole layers do not fit into what each has, or nodes do not reach each "
      "other",
      figures.layers(), memory_text(weights_and_kv), memory_text(sum), list);
}

}  // namespace planning

std::string memory_text(std::uint64_t bytes) {
  constexpr double mib = 1U << 20U;
  constexpr double gib = 1U << 30U;
  auto number = static_cast<double>(bytes);
  return number >= gib ? fmt::format("{:.1f} GiB", number / gib)
                       : fmt::format("{:.1f} MiB", number / mib);
}

std::string time_text(double seconds) {
  auto ms = seconds * 1e3;
  return ms < 1 ? fmt::format("{:.3f} ms", ms) : fmt::format("{:.1f} ms", ms);
}

}  // namespace flowspec
