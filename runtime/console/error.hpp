#pragma once
/// The exit codes of the programs, the status codes of the server, and the exception that ends a program.

#include <stdexcept>
#include <string>

#include "messages/error_code.hpp"

namespace flowspec {

/// Exit codes of the programs.
enum class ExitCode : int {
  ok = 0,
  /// The run failed: a node was lost, a stage could not compute, memory ran out, ...
  failed = 1,
  /// The request could not be started: wrong options, missing or unsuitable files.
  usage = 2,
  /// Ctrl-C.
  cancelled = 130,
};

/// The tables of exit codes and of HTTP's status codes. (A session that fails tells a text without a code:
/// `failed`.)
constexpr ExitCode exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::bad_request:
    case ErrorCode::model:
      return ExitCode::usage;
    case ErrorCode::cancelled:
      return ExitCode::cancelled;
    case ErrorCode::does_not_fit:
    case ErrorCode::node_lost:
    case ErrorCode::protocol:
    case ErrorCode::internal:
    case ErrorCode::busy:
      break;
  }
  return ExitCode::failed;
}
constexpr int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::bad_request:
      return 400;
    case ErrorCode::cancelled:
      // Nobody reads it: the client has gone. The number is nginx's, for logs and statistics.
      return 499;
    case ErrorCode::does_not_fit:
    case ErrorCode::node_lost:
      return 503;
    case ErrorCode::busy:
      return 429;
    case ErrorCode::model:
    case ErrorCode::protocol:
    case ErrorCode::internal:
      break;
  }
  return 500;
}

/// Ends the program with a message for the user.
class RuntimeError : public std::runtime_error {
 public:
  RuntimeError(ErrorCode code, const std::string& text) : std::runtime_error(text), code_(code) {}
  explicit RuntimeError(const std::string& text) : RuntimeError(ErrorCode::bad_request, text) {}

  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace flowspec
