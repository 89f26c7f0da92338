#pragma once

#include <string>

#include "runtime/console/error.hpp"

namespace flowspec {

/// What has gone wrong, for the user.
struct Failure {
  ErrorCode code = ErrorCode::internal;
  std::string text;
};

/// Of the exception that is being handled: for catch blocks.
Failure current_failure();

/// Tells it on standard error, and gives its exit code.
ExitCode tell_failure();

}  // namespace flowspec
