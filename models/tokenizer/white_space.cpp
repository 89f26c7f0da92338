#include "models/tokenizer/white_space.hpp"

#include <algorithm>
#include <array>

namespace flowspec {
namespace {

/// Unicode's White_Space in UTF-8. None is the end of another one or of any other character.
constexpr std::array<std::string_view, 25> white_space{
    "\t",           "\n",           "\v",           "\f",           "\r",           " ",
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82",
    "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
    "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f",
    "\xe3\x80\x80"};

bool is_python_only(char c) {
  return c >= '\x1c' && c <= '\x1f';
}

std::string_view strip_front(std::string_view text, bool as_python) {
  for (;;) {
    const auto* found = std::ranges::find_if(
        white_space, [text](std::string_view space) { return text.starts_with(space); });
    if (found != white_space.end())
      text.remove_prefix(found->size());
    else if (as_python && !text.empty() && is_python_only(text.front()))
      text.remove_prefix(1);
    else
      return text;
  }
}

std::string_view strip_back(std::string_view text, bool as_python) {
  for (;;) {
    const auto* found = std::ranges::find_if(
        white_space, [text](std::string_view space) { return text.ends_with(space); });
    if (found != white_space.end())
      text.remove_suffix(found->size());
    else if (as_python && !text.empty() && is_python_only(text.back()))
      text.remove_suffix(1);
    else
      return text;
  }
}

}  // namespace

std::string_view without_leading_space(std::string_view text) {
  return strip_front(text, false);
}
std::string_view without_trailing_space(std::string_view text) {
  return strip_back(text, false);
}
std::string_view python_lstrip(std::string_view text) {
  return strip_front(text, true);
}
std::string_view python_rstrip(std::string_view text) {
  return strip_back(text, true);
}

}  // namespace flowspec
