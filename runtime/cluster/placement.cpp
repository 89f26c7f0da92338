#include "runtime/cluster/placement.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "runtime/console/error.hpp"

namespace flowspec {

namespace {

/// Parts of `total` that differ by at most one, the larger ones last.
std::vector<std::uint32_t> near_equal(std::uint32_t total, std::uint32_t parts) {
  std::vector<std::uint32_t> sizes(parts, total / parts);
  for (std::uint32_t i = parts - total % parts; i < parts; ++i)
    ++sizes[i];
  return sizes;
}

/// One layer for as many stages as there are layers, as far from each other as possible; the first
/// stage has one.
std::vector<std::uint32_t> spread(std::uint32_t layers, std::uint32_t stages) {
  std::vector<std::uint32_t> sizes;
  std::uint32_t placed = 0;
  for (std::uint64_t stage = 1; stage <= stages; ++stage) {
    auto end = static_cast<std::uint32_t>((stage * layers + stages - 1) / stages);
    sizes.push_back(end - placed);
    placed = end;
  }
  return sizes;
}

std::vector<std::uint32_t> split_of(const PlacementRequest& request, std::uint32_t stages) {
  if (stages > request.layers)
    return spread(request.layers, stages);
  return request.split.empty() ? near_equal(request.layers, stages) : request.split;
}

std::uint32_t count_stages(const PlacementRequest& request) {
  // Two stages even in one process: while the one verifies, the other computes.
  constexpr std::uint32_t local_default = 2;
  std::uint32_t count = request.nodes > 0 ? static_cast<std::uint32_t>(request.nodes)
                                          : std::min(local_default, request.layers);
  if (!request.split.empty())
    count = static_cast<std::uint32_t>(request.split.size());
  if (request.stages) {
    if (!request.split.empty() && *request.stages != count)
      throw RuntimeError(fmt::format("the split has {} parts, but {} stages are asked for", count,
                                     *request.stages));
    count = *request.stages;
  }
  if (count == 0)
    throw RuntimeError("there has to be a stage at least");
  if (count > request.layers && !request.empty_stages)
    throw RuntimeError(fmt::format("{} stages for a model of {} layers: every stage needs a layer",
                                   count, request.layers));
  if (count < request.nodes)
    throw RuntimeError(
        fmt::format("{} stages for {} nodes: every node needs a stage; name fewer "
                    "nodes, or ask for more stages",
                    count, request.nodes));
  return count;
}

}  // namespace

std::vector<StagePlace> place_stages(const PlacementRequest& request) {
  auto count = count_stages(request);
  auto split = split_of(request, count);
  auto sum = std::accumulate(split.begin(), split.end(), std::uint64_t{0});
  if (sum != request.layers)
    throw RuntimeError(
        fmt::format("the split has {} layers, the model has {}", sum, request.layers));
  if (!request.empty_stages && std::ranges::find(split, 0U) != split.end())
    throw RuntimeError("every stage of the split needs a layer");

  std::vector<StagePlace> places;
  std::uint32_t first = 0;
  for (std::uint32_t layers : split) {
    places.push_back({{first, first + layers}, 0});
    first += layers;
  }
  if (request.nodes > 0) {
    auto per_node = near_equal(count, static_cast<std::uint32_t>(request.nodes));
    std::size_t stage = 0;
    for (std::size_t node = 0; node < per_node.size(); ++node)
      for (std::uint32_t i = 0; i < per_node[node]; ++i)
        places[stage++].node = node;
  }
  return places;
}

}  // namespace flowspec
