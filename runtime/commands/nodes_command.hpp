#pragma once

#include "runtime/commands/nodes_options.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

/// The command `flowspec nodes`: a table of the nodes. A node that cannot be reached gets a line of
/// the table, and the exit code is 1.
ExitCode show_nodes(const NodesOptions& options);

}  // namespace flowspec
