#pragma once
/// Measures machine and links for a node agent. Runs on a thread of its own, since it computes for a
/// second.

#include <memory>

#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"

namespace flowspec {

class Node;

using MeasurerActor = caf::typed_actor<
    // As the agent was asked.
    replies_to<speed_a, std::string, std::uint16_t>::with<NodeInfoMessage>,
    replies_to<link_a, std::string, std::uint16_t>::with<NodeInfoMessage>>;

MeasurerActor spawn_measurer(caf::actor_system& system, std::shared_ptr<Node> node);

}  // namespace flowspec
