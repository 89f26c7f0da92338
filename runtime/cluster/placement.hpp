#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "models/base/types.hpp"

namespace flowspec {

/// A stage: its layers, and the number of its node where there are nodes.
struct StagePlace {
  LayerRange layers;
  std::size_t node = 0;

  friend bool operator==(const StagePlace&, const StagePlace&) = default;
};

struct PlacementRequest {
  /// Of the model.
  std::uint32_t layers = 0;
  /// 0: all stages run in this process.
  std::size_t nodes = 0;
  std::optional<std::uint32_t> stages = {};
  /// Layers of every stage; empty: as equal as possible.
  std::vector<std::uint32_t> split = {};
};

/// Cuts the layers into stages, and hands the stages out to the nodes: neighbouring stages to one
/// node where there are more stages than nodes. Without a split the later stages get the layer
/// more, so that the first one is early ready for the next segment. Throws RuntimeError.
std::vector<StagePlace> place_stages(const PlacementRequest& request);

}  // namespace flowspec
