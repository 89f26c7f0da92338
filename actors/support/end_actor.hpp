#pragma once

#include <caf/all.hpp>

namespace flowspec {

/// Asks an actor to end. Exit messages queue behind all others unless they are urgent.
template <class Handle>
void end_actor(const Handle& handle) {
  if (auto actor = caf::actor_cast<caf::actor>(handle))
    caf::anon_send<caf::message_priority::high>(
        actor, caf::exit_msg{caf::actor_addr{}, caf::exit_reason::user_shutdown});
}

}  // namespace flowspec
