#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "models/base/types.hpp"

namespace flowspec {

/// A stage: its layers, and the number of its node if there are nodes.
struct StagePlace {
  LayerRange layers;
  std::size_t node = 0;

  friend bool operator==(const StagePlace&, const StagePlace&) = default;
};

struct PlacementRequest {
  /// Layers of the model.
  std::uint32_t layers = 0;
  /// 0: all stages run in this process.
  std::size_t nodes = 0;
  std::optional<std::uint32_t> stages = {};
  /// Layers of every stage; empty: as equal as possible.
  std::vector<std::uint32_t> split = {};
  /// There may be more stages than layers: beyond the first, some then have none. For emulated
  /// devices, which take the time of another model.
  bool empty_stages = false;
};

/// Cuts the layers into stages, and assigns the stages to the nodes: if there are more stages than
/// nodes, neighbouring stages share a node. Without a split the later stages get the extra layers,
/// so that the first one is ready early for the next segment. Throws RuntimeError.
std::vector<StagePlace> place_stages(const PlacementRequest& request);

}  // namespace flowspec
