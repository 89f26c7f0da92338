#pragma once

#include <stdexcept>
#include <string>

namespace flowspec {

/// What a program of ours returns.
enum class ExitCode : int {
  ok = 0,
  /// The run failed: a node was lost, a stage could not compute, memory ran out, ...
  failed = 1,
  /// The request could not be started: wrong options, missing or unsuitable files.
  usage = 2,
  /// Ctrl-C.
  cancelled = 130,
};

/// Ends the program with a message for the user.
class RuntimeError : public std::runtime_error {
 public:
  RuntimeError(ExitCode code, const std::string& text) : std::runtime_error(text), code_(code) {}
  explicit RuntimeError(const std::string& text) : RuntimeError(ExitCode::usage, text) {}

  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

}  // namespace flowspec
