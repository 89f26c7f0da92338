#pragma once
/// Nodes that were lost and come back: the same address, and a new process or the old one.
///
///   there ── lost ──► dialled every second ── answers ──► asked who it is ── fits ──► there, a spare
///     ▲                 └─◄── does not answer ────┴──◄─────────┴── has gone again        │
///     └──────────────────────────────────────────────────────────────────────────────────┘

#include <functional>
#include <vector>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/cluster/coordinator.hpp"
#include "runtime/cluster/nodes.hpp"

namespace flowspec {

/// Watches the nodes, and gives those that come back to the coordinator. `misfit` says in words why a
/// node cannot take part, or nothing; it is called on another thread. Ends by `end_actor`.
caf::actor watch_for_returns(caf::actor_system& system, const std::vector<RemoteNode>& nodes,
                             const CoordinatorActor& coordinator,
                             std::function<std::string(const NodeInfo&)> misfit);

}  // namespace flowspec
