#pragma once

#include "runtime/commands/up_options.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

/// The command `flowspec up`: nodes on this machine, as children of this process, until it is told
/// to end. To be called on the main thread, before there are others. Throws RuntimeError if a node
/// cannot be started.
ExitCode up(const UpOptions& options);

}  // namespace flowspec
