#pragma once
/// Text from files that are not trusted, and what is in them, for error messages.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace flowspec {

/// Control characters and bytes that are not ASCII escaped, cut after `most` characters.
std::string printable(std::string_view text, std::size_t most = 80);

/// "0.5", "1e+300".
std::string describe_number(double number);

/// "[4, 3]".
std::string describe_shape(std::span<const std::uint64_t> shape);

}  // namespace flowspec
