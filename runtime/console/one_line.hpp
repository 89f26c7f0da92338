#pragma once

#include <string>
#include <string_view>

namespace flowspec {

/// The text with '?' for control characters and for what is no UTF-8: what others named must not
/// move a terminal's cursor, and a message stays a line.
std::string one_line(std::string_view text);

}  // namespace flowspec
