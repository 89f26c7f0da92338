#pragma once

#include "runtime/commands/cluster_options.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

/// `flowspec cluster`. Throws RuntimeError.
ExitCode run_cluster(const ClusterOptions& options);

}  // namespace flowspec
