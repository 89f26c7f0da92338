#pragma once

#include <utility>

#include <caf/all.hpp>

#include "actors/support/spawn_mode.hpp"

namespace flowspec {

/// Spawns an actor on a thread of its own or in the pool.
template <class Function, class... Args>
auto spawn_with(caf::actor_system& system, SpawnMode mode, Function function, Args&&... args) {
  if (mode == SpawnMode::detached)
    return system.spawn<caf::detached>(function, std::forward<Args>(args)...);
  return system.spawn(function, std::forward<Args>(args)...);
}

}  // namespace flowspec
