#pragma once

#include "runtime/console/error.hpp"
#include "runtime/verify/verify_options.hpp"

namespace flowspec {

/// The command `flowspec verify`. Prints all there is to say, errors too.
ExitCode verify(const VerifyOptions& options);

}  // namespace flowspec
