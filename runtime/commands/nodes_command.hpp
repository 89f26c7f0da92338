#pragma once

#include "runtime/commands/nodes_options.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

/// The command `flowspec nodes`: a table of the nodes. One that cannot be reached is a line of the
/// table, and the exit code 1.
ExitCode show_nodes(const NodesOptions& options);

}  // namespace flowspec
