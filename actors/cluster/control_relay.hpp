#pragma once

#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"

namespace flowspec {

/// Takes control messages from other machines and passes them to a local hop ahead of the segments
/// in its queue: CAF 0.17 loses the priority of a message on the network. Ends with the hop.
ControlActor spawn_control_relay(caf::actor_system& system, PipelineActor hop);

}  // namespace flowspec
