#pragma once
/// The random numbers of a text: one for every position and token, from the seed alone, so that
/// whoever knows the seed knows them ahead of time.
///
/// The token v at a position has the number e_v, exponentially distributed with mean 1. Its
/// Gumbel noise is g_v = -ln e_v, and argmax(logit_v / T + g_v) is a draw from softmax(logit / T)
/// (Gumbel-max; equally the race of e_v / exp(logit_v / T), of which the least wins).
///
/// Tokens are numbered in blocks of 32, and a block's least number and its place are drawn first:
/// the least of 32 independent exponentials has mean 1/32 and a uniform place, and the others are
/// that least plus exponentials of mean 1, since they have no memory. So one number bounds a whole
/// block, and a search passes by almost all of them.

#include <cstddef>
#include <cstdint>

#include "models/base/types.hpp"

namespace flowspec {

/// Tokens of a block: those with the same number / noise_block.
inline constexpr std::size_t noise_block = 32;

/// The least number of a block.
struct BlockNoise {
  /// In (0, 1): the least is -ln(uniform) / 32, which is at least (1 - uniform) / 32.
  double uniform = 0;
  /// Place of its token in the block.
  std::uint32_t place = 0;

  double least() const;
};

/// The noise of one position.
class Noise {
 public:
  Noise(std::uint64_t seed, Position position) : seed_(seed), position_(position) {}

  /// Of the blocks `2 * pair` and `2 * pair + 1`, which come from one call of the generator.
  void blocks(std::size_t pair, BlockNoise (&out)[2]) const;
  BlockNoise block(std::size_t index) const;
  /// e_v of a token of this block.
  double exponential(const BlockNoise& block, Token token) const;
  double exponential(Token token) const {
    return exponential(block(static_cast<std::size_t>(token) / noise_block), token);
  }

 private:
  std::uint64_t seed_;
  Position position_;
};

}  // namespace flowspec
