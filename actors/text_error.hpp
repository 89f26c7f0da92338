#pragma once
/// Errors with a text for people, as values that cross machines.

#include <string>

#include <caf/fwd.hpp>

namespace flowspec {

caf::error text_error(std::string text);

/// The text of such an error, and of others what CAF knows about them.
std::string error_text(const caf::error& error);

}  // namespace flowspec
