#pragma once
/// Errors with a code and a text for people, as values that cross machines.

#include <string>

#include <caf/fwd.hpp>

#include "messages/error_code.hpp"

namespace flowspec {

caf::error text_error(ErrorCode code, std::string text);

/// The text of such an error, and of others what CAF knows about them.
std::string error_text(const caf::error& error);

/// The code of such an error; of CAF's own the one that fits best.
ErrorCode error_code(const caf::error& error);

}  // namespace flowspec
