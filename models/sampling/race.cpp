#include "models/sampling/race.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <vector>

#include "models/base/portable_math.hpp"
#include "models/kernels/clones.hpp"
#include "models/kernels/vector.hpp"

namespace flowspec {
namespace {

class Race {
 public:
  Race(const LogitRow& row, float temperature, const Noise& noise, const RankedToken& last,
       std::span<Runner> out)
      : row_(row), temperature_(temperature), noise_(noise), last_(last), out_(out) {}

  /// Lets the tokens of a block run that can still be among the best.
  void look_into(std::size_t index, const BlockNoise& block) {
    const double least = block.least();
    const double largest_noise = -portable::log(least);
    const auto logits = row_.block(index);
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const RankedToken token{logits[i], static_cast<Token>(index * noise_block + i)};
      if (!(token.logit > minus_infinity) || comes_first(last_, token))
        continue;
      const double base = (double{token.logit} - row_.best().logit) / temperature_;
      // What comes after the worst one kept loses a tie only to lower tokens.
      if (base + largest_noise < threshold())
        continue;
      const double noise =
          i == block.place ? largest_noise : -portable::log(noise_.exponential(block, token.token));
      insert({token.token, base + noise});
    }
  }

  /// The score that a token needs to be among the best.
  double threshold() const {
    return count_ == out_.size() ? out_.back().score : -std::numeric_limits<double>::infinity();
  }
  std::size_t count() const { return count_; }

 private:
  static constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

  static bool wins(const Runner& a, const Runner& b) {
    return a.score > b.score || (a.score == b.score && a.token < b.token);
  }

  void insert(const Runner& runner) {
    if (count_ == out_.size() && !wins(runner, out_.back()))
      return;
    std::size_t at = count_ < out_.size() ? count_++ : count_ - 1;
    for (; at > 0 && wins(runner, out_[at - 1]); --at)
      out_[at] = out_[at - 1];
    out_[at] = runner;
  }

  const LogitRow& row_;
  double temperature_;
  const Noise& noise_;
  RankedToken last_;
  std::span<Runner> out_;
  std::size_t count_ = 0;
};

/// The blocks of the `count` largest logits; all, if there are no more.
std::vector<std::size_t> best_blocks(std::span<const float> maxima, std::size_t count) {
  std::vector<std::size_t> found;
  float least = -std::numeric_limits<float>::infinity();
  if (count < maxima.size()) {
    std::vector<float> sorted(maxima.begin(), maxima.end());
    const auto nth = sorted.begin() + static_cast<std::ptrdiff_t>(count - 1);
    std::ranges::nth_element(sorted, nth, std::greater<>());
    least = *nth;
  }
  for (std::size_t i = 0; i < maxima.size(); ++i)
    if (maxima[i] >= least)
      found.push_back(i);
  return found;
}

/// For eight blocks: a number such that a block whose `1 - uniform` is not below it cannot reach the
/// threshold. In float, with enough slack for its rounding.
FLOWSPEC_INLINE simd::Float8 chances(const simd::Float8& maxima, float largest, float factor,
                                     float threshold) {
  constexpr float log_of_block = 3.4657359F;  // ln 32
  constexpr float slack = 1e-4F;
  const simd::Float8 exponent = (maxima - simd::fill(largest)) * simd::fill(factor) +
                                simd::fill(log_of_block + slack) - simd::fill(threshold);
  return simd::exp(exponent);
}

}  // namespace

std::size_t find_winners(const LogitRow& row, float temperature, const Noise& noise,
                         const RankedToken& last, std::span<Runner> out) {
  const std::span<const float> maxima = row.block_maxima();
  Race race(row, temperature, noise, last, out);
  // A good threshold from the start saves most of the work.
  const auto first = best_blocks(maxima, out.size());
  for (const std::size_t index : first)
    race.look_into(index, noise.block(index));
  auto done = first.begin();
  const auto factor = static_cast<float>(std::min(1 / double{temperature}, 1e30));
  for (std::size_t at = 0; at < maxima.size(); at += simd::lanes) {
    std::array<float, simd::lanes> group;
    group.fill(-std::numeric_limits<float>::infinity());
    const std::size_t count = std::min(simd::lanes, maxima.size() - at);
    std::ranges::copy(maxima.subspan(at, count), group.begin());
    const auto threshold = static_cast<float>(std::max(race.threshold(), -1e30));
    simd::store(group.data(),
                chances(simd::load(group.data()), row.best().logit, factor, threshold));
    for (std::size_t i = 0; i < count; i += 2) {
      BlockNoise blocks[2];
      noise.blocks((at + i) / 2, blocks);
      for (std::size_t b = i; b < std::min(i + 2, count); ++b)
        if (done != first.end() && *done == at + b)
          ++done;
        else if (1 - blocks[b - i].uniform < group[b])
          race.look_into(at + b, blocks[b - i]);
    }
  }
  return race.count();
}

}  // namespace flowspec
