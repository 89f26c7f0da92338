#pragma once
/// Private to this folder: what the files that decode have in common. They read bytes that may come from
/// anyone. Cap'n Proto checks memory accesses; the code checks the values, before it allocates anything by
/// them. Each list and string of a message is fetched once: every fetch counts against the traversal limit.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "messages/codec.hpp"
#include "messages/limits.hpp"

namespace flowspec {

using Owner = std::shared_ptr<const void>;

inline void check(bool holds, const char* otherwise) {
  if (!holds)
    throw DecodeError(otherwise);
}

inline std::size_t count(std::size_t n, std::size_t limit, const char* of) {
  if (n > limit)
    throw DecodeError(std::string(of) + ": " + std::to_string(n) + ", at most " +
                      std::to_string(limit));
  return n;
}

inline Token token(std::int32_t value) {
  check(value >= 0, "a token is negative");
  return value;
}

inline std::vector<Token> tokens(capnp::List<std::int32_t>::Reader in, const char* what) {
  std::vector<Token> out;
  out.reserve(count(in.size(), limits::tokens, what));
  for (auto value : in)
    out.push_back(token(value));
  return out;
}

inline std::string text(capnp::Text::Reader in, const char* what) {
  return {in.begin(), count(in.size(), limits::text, what)};
}

inline HiddenType hidden_type(schema::HiddenType type) {
  check(type <= schema::HiddenType::BF16, "an unknown type of hidden states");
  return static_cast<HiddenType>(type);
}

}  // namespace flowspec
