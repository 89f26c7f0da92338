#pragma once
/// Runs whose nodes and layers the planner chooses.

#include <string>
#include <vector>

#include <caf/fwd.hpp>

#include "runtime/cluster/forecast.hpp"
#include "runtime/run/engine.hpp"

namespace flowspec {

/// What the nodes have measured, and the plan that was made of it.
struct ClusterPlan {
  /// In the order in which they were named, with their addresses.
  std::vector<PlanCandidate> nodes;
  std::vector<Address> addresses;
  PlanRequest request;
  Plan plan;
};

enum class Unreachable {
  is_error,
  /// The others do the work.
  is_left_out,
};

/// Whether the planner decides: there are several nodes, and neither options nor a cluster file say
/// what each of them computes.
bool has_to_plan(const RunSpec& spec);

/// Asks the nodes, has them measure what they do not know yet, and makes a plan. Connections stay, no
/// actors do. Throws RuntimeError and ModelError.
/// @param positions  tokens of the longest session.
ClusterPlan plan_run(caf::actor_system& system, const Engine& engine, const RunSpec& spec,
                     std::uint32_t positions, Unreachable unreachable);

/// The run with the nodes and layers of the plan, if it has to be planned; else as it is. Nodes that
/// get no layers are named on standard error, with the reason.
RunSpec planned(caf::actor_system& system, const Engine& engine, const RunSpec& spec,
                std::uint32_t positions);

}  // namespace flowspec
