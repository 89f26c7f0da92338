#pragma once

#include "runtime/answer_options.hpp"
#include "runtime/error.hpp"

namespace flowspec {

/// The command `flowspec generate`. Prints all there is to say, errors too.
ExitCode generate(GenerateOptions options);

}  // namespace flowspec
