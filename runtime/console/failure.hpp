#pragma once

#include <string>

#include "runtime/console/error.hpp"

namespace flowspec {

/// An error as the user sees it.
struct Failure {
  ErrorCode code = ErrorCode::internal;
  std::string text;
};

/// The failure of the exception that is being handled: for catch blocks.
Failure current_failure();

/// Prints it on standard error, and returns its exit code.
ExitCode tell_failure();

}  // namespace flowspec
