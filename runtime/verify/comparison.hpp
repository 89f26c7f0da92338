#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "models/base/types.hpp"

namespace flowspec {

/// Where two texts part.
struct Difference {
  /// Number of the prompt, from 0.
  std::size_t prompt = 0;
  /// In the whole text, prompt included.
  Position position = 0;
  /// Nothing where the text had ended.
  std::optional<Token> expected;
  std::optional<Token> actual;
  friend bool operator==(const Difference&, const Difference&) = default;
};

/// Many texts against what they have to be.
struct Comparison {
  std::uint64_t texts = 0;
  std::uint64_t tokens = 0;
  /// Positions with another token; behind the first of a text nearly all are.
  std::uint64_t differences = 0;
  std::optional<Difference> first;

  /// Adds the answer to a prompt, whose first token stands at position `begin`.
  void add(std::size_t prompt, Position begin, std::span<const Token> expected,
           std::span<const Token> actual);
};

}  // namespace flowspec
