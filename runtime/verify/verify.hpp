#pragma once

#include "runtime/console/error.hpp"
#include "runtime/verify/verify_options.hpp"

namespace flowspec {

/// The command `flowspec verify`. Prints all output, including errors.
ExitCode verify(const VerifyOptions& options);

}  // namespace flowspec
