#pragma once

#include "runtime/commands/serve_options.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

/// The command `flowspec serve`: OpenAI's API and a page, over HTTP, until a signal comes. Prints all output,
/// including errors.
ExitCode serve(ServeOptions options);

}  // namespace flowspec
