#pragma once
/// Private to this folder: what the files that encode have in common.

#include <cstddef>
#include <string>

#include <capnp/list.h>

#include "messages/types.hpp"

namespace flowspec {

inline std::size_t words_of_bytes(std::size_t n) {
  return (n + 7) / 8;
}
inline std::size_t words_of_text(const std::string& s) {
  return words_of_bytes(s.size() + 1);
}
inline std::size_t words_of_tokens(std::size_t n) {
  return words_of_bytes(n * sizeof(Token));
}

template <class Values, class List>
void copy(const Values& values, List out) {
  for (std::size_t i = 0; i < values.size(); ++i)
    out.set(static_cast<capnp::uint>(i), values[i]);
}

inline kj::StringPtr text_of(const std::string& text) {
  return {text.c_str(), text.size()};
}

}  // namespace flowspec
