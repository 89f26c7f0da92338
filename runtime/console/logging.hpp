#pragma once

#include "runtime/console/verbosity.hpp"

namespace flowspec {

/// Logs go to stderr, separate from the text on stdout.
void set_up_logging(const char* program, Verbosity verbosity);

}  // namespace flowspec
