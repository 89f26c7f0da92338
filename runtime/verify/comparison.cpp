#include "runtime/verify/comparison.hpp"

#include <algorithm>

namespace flowspec {

void Comparison::add(std::size_t prompt, Position begin, std::span<const Token> expected,
                     std::span<const Token> actual) {
  ++texts;
  auto token = [](std::span<const Token> text, std::size_t i) {
    return i < text.size() ? std::optional(text[i]) : std::nullopt;
  };
  for (std::size_t i = 0; i < std::max(expected.size(), actual.size()); ++i) {
    ++tokens;
    if (token(expected, i) == token(actual, i))
      continue;
    ++differences;
    if (!first)
      first = {prompt, begin + static_cast<Position>(i), token(expected, i), token(actual, i)};
  }
}

}  // namespace flowspec
