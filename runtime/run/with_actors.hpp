#pragma once

#include <functional>

#include <caf/fwd.hpp>

#include "runtime/cluster/cluster.hpp"
#include "runtime/cluster/network_options.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

/// Runs `body` in an actor system, which reaches other processes where `cluster` has nodes. Returns
/// when all actors have ended.
void with_system(const Cluster& cluster, const NetworkOptions& network,
                 const std::function<void(caf::actor_system&)>& body);

/// The same for what is all of a program. Gives the exit code of `body`, or another one where the
/// output could not be written. When `body` has returned, the process ends within seconds, whatever
/// still hangs.
ExitCode with_actors(const Cluster& cluster, const NetworkOptions& network,
                     const std::function<ExitCode(caf::actor_system&)>& body);

}  // namespace flowspec
