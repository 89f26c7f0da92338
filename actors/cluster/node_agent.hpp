#pragma once
/// The one actor of a node that others spawn remotely: it has stages made, and ends them.
///
///   owner (on another machine) ── spawn ──► agent ──► stages
///     └─ goes, or is lost ──────────────────► they end

#include <memory>

#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"

namespace flowspec {

class Node;

/// The name to spawn an agent by. Its one argument is its owner, a caf::actor.
inline constexpr const char* node_agent_name = "node_agent";

/// Lets peers spawn agents of `node` in actor systems with this configuration.
void add_node_agent(caf::actor_system_config& config, std::shared_ptr<Node> node);

}  // namespace flowspec
