#pragma once
/// Formats text and values of untrusted files for error messages.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace flowspec {

/// The text with control characters and non-ASCII bytes escaped, cut after `most` characters.
std::string printable(std::string_view text, std::size_t most = 80);

/// "0.5", "1e+300".
std::string describe_number(double number);

/// "[4, 3]".
std::string describe_shape(std::span<const std::uint64_t> shape);

}  // namespace flowspec
