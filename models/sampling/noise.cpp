#include "models/sampling/noise.hpp"

#include <array>

#include "models/base/portable_math.hpp"
#include "models/sampling/philox.hpp"

namespace flowspec {
namespace {

/// What the generator is asked for: the third number of its counter. 0 was the one number of a
/// position from which older versions drew.
enum Domain : std::uint32_t { of_blocks = 1, of_tokens = 2 };

std::array<std::uint64_t, 2> random_words(std::uint64_t seed, Position position, Domain domain,
                                          std::size_t index) {
  const auto words =
      philox4x32({position, static_cast<std::uint32_t>(index), domain, 0},
                 {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  return {std::uint64_t{words[0]} << 32 | words[1], std::uint64_t{words[2]} << 32 | words[3]};
}

/// In (0, 1), from the upper 52 bits: never 0 and never rounded to 1.
double uniform_of(std::uint64_t word) {
  return (static_cast<double>(word >> 12) + 0.5) * 0x1p-52;
}

BlockNoise noise_of(std::uint64_t word) {
  return {uniform_of(word), static_cast<std::uint32_t>(word % noise_block)};
}

}  // namespace

double BlockNoise::least() const {
  return -portable::log(uniform) / noise_block;
}

void Noise::blocks(std::size_t pair, BlockNoise (&out)[2]) const {
  const auto words = random_words(seed_, position_, of_blocks, pair);
  out[0] = noise_of(words[0]);
  out[1] = noise_of(words[1]);
}

BlockNoise Noise::block(std::size_t index) const {
  return noise_of(random_words(seed_, position_, of_blocks, index / 2)[index % 2]);
}

double Noise::exponential(const BlockNoise& block, Token token) const {
  const auto index = static_cast<std::size_t>(token);
  if (index % noise_block == block.place)
    return block.least();
  const auto words = random_words(seed_, position_, of_tokens, index / 2);
  return block.least() - portable::log(uniform_of(words[index % 2]));
}

}  // namespace flowspec
