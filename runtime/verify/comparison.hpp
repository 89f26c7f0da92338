#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "models/base/types.hpp"

namespace flowspec {

/// Where two texts first differ.
struct Difference {
  /// Number of the prompt, from 0.
  std::size_t prompt = 0;
  /// In the whole text, prompt included.
  Position position = 0;
  /// Empty if the text had ended.
  std::optional<Token> expected;
  std::optional<Token> actual;
  friend bool operator==(const Difference&, const Difference&) = default;
};

/// Compares many texts with the expected ones.
struct Comparison {
  std::uint64_t texts = 0;
  std::uint64_t tokens = 0;
  /// Positions with a different token; after the first difference of a text nearly all differ.
  std::uint64_t differences = 0;
  std::optional<Difference> first;

  /// Adds the answer to a prompt; the answer's first token is at position `begin`.
  void add(std::size_t prompt, Position begin, std::span<const Token> expected,
           std::span<const Token> actual);
};

}  // namespace flowspec
