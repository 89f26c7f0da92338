#pragma once
/// What `flowspec` reads from its command line, and the errors that wrong options or files give.

#include <functional>
#include <string>
#include <vector>

#include "runtime/commands/command_line.hpp"
#include "runtime/console/error.hpp"
#include "tests/support/check_error.hpp"

namespace flowspec::test {

/// Parses the command line `flowspec` with these arguments.
inline CommandLine parse_line(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "flowspec");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

/// Checks that `call` throws a RuntimeError whose message has `text` and which the user can fix.
inline void check_error(const std::function<void()>& call, const std::string& text) {
  check_throws<RuntimeError>(
      call, {text},
      [](const RuntimeError& error) { BOOST_CHECK(error.code() == ErrorCode::bad_request); });
}

}  // namespace flowspec::test
