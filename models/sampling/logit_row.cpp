#include "models/sampling/logit_row.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "models/base/portable_math.hpp"
#include "models/kernels/clones.hpp"
#include "models/kernels/vector.hpp"
#include "models/sampling/noise.hpp"

namespace flowspec {
namespace {

constexpr float minus_infinity = -std::numeric_limits<float>::infinity();
constexpr std::size_t vectors = noise_block / simd::lanes;

/// One block; what the row lacks at its end is minus infinity.
struct Block {
  simd::Float8 part[vectors];
};

FLOWSPEC_INLINE void load_block(std::span<const float> logits, std::size_t at, Block& block) {
  if (at + noise_block <= logits.size()) {
    for (std::size_t v = 0; v < vectors; ++v)
      block.part[v] = simd::load(&logits[at + v * simd::lanes]);
    return;
  }
  std::array<float, noise_block> padded;
  padded.fill(minus_infinity);
  std::ranges::copy(logits.subspan(at), padded.begin());
  for (std::size_t v = 0; v < vectors; ++v)
    block.part[v] = simd::load(&padded[v * simd::lanes]);
}

/// Writes the largest logit of each block. Returns whether all logits of whole blocks are finite.
FLOWSPEC_CLONES
bool scan(std::span<const float> logits, std::span<float> maxima) {
  simd::Int8 odd{};
  for (std::size_t b = 0; b < maxima.size(); ++b) {
    Block block;
    load_block(logits, b * noise_block, block);
    simd::Float8 best = simd::fill(minus_infinity);
    for (const simd::Float8& x : block.part)
      best = x > best ? x : best;  // false for NaN
    if ((b + 1) * noise_block <= logits.size()) {
      for (const simd::Float8& x : block.part) {
        const simd::Float8 zero = x - x;  // NaN for infinities and NaN
        odd |= zero != zero;
      }
    }
    float largest = minus_infinity;
    for (std::size_t lane = 0; lane < simd::lanes; ++lane)
      largest = best[lane] > largest ? best[lane] : largest;
    maxima[b] = largest;
  }
  std::int32_t any = 0;
  for (std::size_t lane = 0; lane < simd::lanes; ++lane)
    any |= odd[lane];
  return any == 0;
}

/// Of the logits that are larger than `above`, given each block's largest. Terms of 16 blocks are
/// summed in float, in eight lanes.
FLOWSPEC_CLONES
double sum_of_exp_over(std::span<const float> logits, std::span<const float> maxima, float largest,
                       float factor, float above) {
  constexpr std::size_t blocks = 16;
  double total = 0;
  for (std::size_t b = 0; b < maxima.size();) {
    simd::Float8 sums{};
    const std::size_t end = std::min(maxima.size(), b + blocks);
    for (; b < end; ++b) {
      if (!(maxima[b] > above))
        continue;
      Block block;
      load_block(logits, b * noise_block, block);
      for (const simd::Float8& x : block.part) {
        const simd::Float8 scaled = (x - simd::fill(largest)) * simd::fill(factor);
        const simd::Float8 term = simd::exp(scaled);
        sums += x > simd::fill(above) ? term : simd::Float8{};  // false for NaN
      }
    }
    for (std::size_t lane = 0; lane < simd::lanes; ++lane)
      total += sums[lane];
  }
  return total;
}

/// Not infinite: the best logit's term is 1.
float finite_factor(double factor) {
  return static_cast<float>(std::min(factor, 1e30));
}

}  // namespace

LogitRow::LogitRow(std::span<const float> logits)
    : logits_(logits), maxima_((logits.size() + noise_block - 1) / noise_block) {
  finite_ = scan(logits, maxima_);
  const std::size_t rest = logits.size() % noise_block;
  finite_ =
      finite_ && std::ranges::all_of(logits.last(rest), [](float x) { return std::isfinite(x); });
  const auto best = std::ranges::max_element(maxima_);
  if (best == maxima_.end() || *best == minus_infinity)
    return;
  const auto index = static_cast<std::size_t>(best - maxima_.begin());
  const auto tokens = block(index);
  const auto place = std::ranges::find(tokens, *best) - tokens.begin();
  best_ = {*best, static_cast<Token>(index * noise_block + static_cast<std::size_t>(place))};
}

std::span<const float> LogitRow::block(std::size_t index) const {
  const std::size_t at = index * noise_block;
  return logits_.subspan(at, std::min(noise_block, logits_.size() - at));
}

std::vector<RankedToken> LogitRow::at_least(float least) const {
  std::vector<RankedToken> found;
  for (std::size_t b = 0; b < maxima_.size(); ++b) {
    if (!(maxima_[b] >= least) || maxima_[b] == minus_infinity)
      continue;
    const auto tokens = block(b);
    for (std::size_t i = 0; i < tokens.size(); ++i)
      if (tokens[i] >= least && tokens[i] > minus_infinity)
        found.push_back({tokens[i], static_cast<Token>(b * noise_block + i)});
  }
  return found;
}

std::vector<RankedToken> LogitRow::first(std::size_t count) const {
  count = std::min(count, logits_.size());
  if (count == 0)
    return {};
  // As many logits are at least the count-th largest maximum, so the wanted ones are too.
  float least = minus_infinity;
  if (count <= maxima_.size()) {
    auto sorted = maxima_;
    const auto nth = sorted.begin() + static_cast<std::ptrdiff_t>(count - 1);
    std::ranges::nth_element(sorted, nth, std::greater<>());
    least = *nth;
  }
  auto found = at_least(least);
  count = std::min(count, found.size());
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(count);
  std::ranges::partial_sort(found, end, comes_first);
  found.resize(count);
  return found;
}

double LogitRow::sum_of_exp(double factor) const {
  return sum_of_exp_over(logits_, maxima_, best_.logit, finite_factor(factor), minus_infinity);
}

double LogitRow::sum_of_exp(double factor, const RankedToken& before) const {
  const float scale = finite_factor(factor);
  double sum = sum_of_exp_over(logits_, maxima_, best_.logit, scale, before.logit);
  std::ptrdiff_t equal = 0;
  for (std::size_t b = 0; b * noise_block < static_cast<std::size_t>(before.token); ++b)
    if (maxima_[b] >= before.logit) {
      const auto lower = static_cast<std::size_t>(before.token) - b * noise_block;
      equal += std::ranges::count(block(b).first(std::min(lower, block(b).size())), before.logit);
    }
  if (equal > 0)
    sum +=
        static_cast<double>(equal) *
        portable::exp(std::max(-700.0, static_cast<double>((before.logit - best_.logit) * scale)));
  return sum;
}

}  // namespace flowspec
