#pragma once
/// Connects this process to a node.

#include <chrono>
#include <cstdint>
#include <string>

#include <caf/fwd.hpp>
#include <caf/node_id.hpp>
#include <caf/replies_to.hpp>

#include "actors/interfaces.hpp"

namespace flowspec {

using DialerActor = caf::typed_actor<
    // Connect to a node at host and port; answers with the node's id, or with the error.
    replies_to<connect_a, std::string, std::uint16_t>::with<caf::node_id>,
    // From the wire: what became of dial n, the name of its connection or a problem.
    reacts_to<done_a, std::uint32_t, std::string, std::string>>;

/// For actor systems that have the wire. Runs on its own thread, since looking up a name blocks; every
/// answer comes within `dial_limit`.
DialerActor spawn_dialer(caf::actor_system& system);

inline constexpr std::chrono::seconds dial_limit{25};

}  // namespace flowspec
