#pragma once
/// From what nodes say of themselves to what the planner wants to know.

#include <cstdint>
#include <string>
#include <vector>

#include "messages/setup_types.hpp"
#include "messages/types.hpp"
#include "models/base/types.hpp"
#include "models/open_model.hpp"
#include "runtime/cluster/planner.hpp"

namespace flowspec {

/// Rows of the segments that plans are made for: one in plain decoding, else 16. That is an
/// assumption: how many rows a tree fills depends on draft and text.
double planned_rows(std::string_view mode);

/// How long a forward of `rows` rows through one layer takes, in seconds: straight lines between the
/// measured numbers of rows, and beyond the last one in proportion to the rows.
double layer_seconds(const LayerSpeed& speed, double rows);

/// What is to be planned: model, mode, and KV of each session.
struct PlanTask {
  const OpenModel& model;
  std::string mode;
  KvType kv_type = KvType::f16;
  HiddenType hidden_type = HiddenType::f32;
  /// Rows that stages have scratch memory for, and KV slots of a session.
  std::uint32_t max_rows = 64;
  std::uint32_t slots = 0;
};

/// A node as it answered.
struct PlanCandidate {
  std::string name;
  NodeInfo info;
  /// Why it cannot take part, whatever it has measured; empty: it can.
  std::string refusal = {};
};

/// Of the memory that is free, a twentieth is left for what comes between plan and loading. Throws
/// ModelError if a tensor of the model is missing.
PlanRequest plan_request(const PlanTask& task, const std::vector<PlanCandidate>& candidates,
                         std::vector<std::vector<PlanLink>> links);

/// Of a stage with these layers on this node: the speed of a layer of the mean size, times their
/// number.
LayerSpeed stage_speed(const OpenModel& model, const LayerSpeed& layer, LayerRange layers);

}  // namespace flowspec
