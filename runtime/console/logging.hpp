#pragma once

#include "runtime/console/verbosity.hpp"

namespace flowspec {

/// Logs go to stderr, away from the text.
void set_up_logging(const char* program, Verbosity verbosity);

}  // namespace flowspec
