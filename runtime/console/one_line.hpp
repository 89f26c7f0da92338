#pragma once

#include <string>
#include <string_view>

namespace flowspec {

/// The text with '?' for control characters and for bytes that are not UTF-8: names given by others
/// must not move a terminal's cursor, and a message has to stay on one line.
std::string one_line(std::string_view text);

}  // namespace flowspec
