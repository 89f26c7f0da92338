#pragma once
/// Rows of logits for tests, and their order.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "models/base/types.hpp"

namespace flowspec::test {

inline constexpr float infinity = std::numeric_limits<float>::infinity();
inline constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

inline std::vector<float> random_logits(std::size_t count, std::uint32_t seed,
                                        float deviation = 3) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> logits(count);
  std::ranges::generate(logits, [&] { return normal(random); });
  return logits;
}

/// Tokens by score, larger first, then by number.
template <class Score>
std::vector<Token> ranking(const std::vector<Score>& scores) {
  std::vector<Token> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&scores](Token a, Token b) {
    return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
  });
  return order;
}

}  // namespace flowspec::test
