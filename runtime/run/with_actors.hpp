#pragma once

#include <functional>

#include <caf/fwd.hpp>

#include "runtime/cluster/cluster.hpp"
#include "runtime/cluster/network_options.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

/// Runs `body` in an actor system, which has networking if `cluster` has nodes. Returns when all
/// actors have ended.
void with_system(const Cluster& cluster, const NetworkOptions& network,
                 const std::function<void(caf::actor_system&)>& body);

/// The same as the whole of a program. Returns the exit code of `body`, or another one if output
/// could not be written. When `body` has returned, the process ends within seconds, even if
/// something hangs.
ExitCode with_actors(const Cluster& cluster, const NetworkOptions& network,
                     const std::function<ExitCode(caf::actor_system&)>& body);

}  // namespace flowspec
