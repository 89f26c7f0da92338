#pragma once
/// Errors with a code and a text for people, as values that can be sent to other machines.

#include <string>

#include <caf/fwd.hpp>

#include "messages/error_code.hpp"

namespace flowspec {

caf::error text_error(ErrorCode code, std::string text);

/// The text of such an error; for other errors, CAF's description.
std::string error_text(const caf::error& error);

/// The code of such an error; for CAF's own errors, the code that fits best.
ErrorCode error_code(const caf::error& error);

}  // namespace flowspec
