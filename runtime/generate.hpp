#pragma once

#include "runtime/error.hpp"
#include "runtime/options.hpp"

namespace flowspec {

/// The command `flowspec generate`. Prints all there is to say, errors too.
ExitCode generate(const GenerateOptions& options);

}  // namespace flowspec
