#pragma once

#include "runtime/commands/answer_options.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

/// The command `flowspec generate`. Prints all output, including errors.
ExitCode generate(GenerateOptions options);

}  // namespace flowspec
