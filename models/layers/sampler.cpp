#include "models/layers/sampler.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "models/base/error.hpp"

namespace flowspec {
namespace {

constexpr float minus_infinity = -std::numeric_limits<float>::infinity();
constexpr std::size_t lanes = 16;

// GCC 12 does not vectorise the scalar form of some loops, so they use vectors explicitly (of
// SSE2's size, which every x86-64 has; other compilers and machines have the same extension).
using FloatVector = float __attribute__((vector_size(16)));
using IntVector = std::int32_t __attribute__((vector_size(16)));
constexpr std::size_t vector_size = 4;

/// The largest value, minus infinity if there is none or all are NaN. Written in lanes, because the
/// compiler may not reorder a plain maximum and would not vectorise it.
float max_of(std::span<const float> values) {
  std::array<float, lanes> best;
  best.fill(minus_infinity);
  std::size_t i = 0;
  for (; i + lanes <= values.size(); i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const float value = values[i + lane];
      best[lane] = value > best[lane] ? value : best[lane];  // false for NaN
    }
  }
  for (; i < values.size(); ++i)
    best[0] = values[i] > best[0] ? values[i] : best[0];
  float result = minus_infinity;
  for (const float value : best)
    result = value > result ? value : result;
  return result;
}

/// Whether there are no infinities and no NaN.
bool are_finite(std::span<const float> values) {
  IntVector found{};
  std::size_t i = 0;
  for (; i + vector_size <= values.size(); i += vector_size) {
    FloatVector part;
    std::memcpy(&part, &values[i], sizeof part);
    const FloatVector zero = part - part;  // NaN for infinities and NaN
    found |= zero != zero;
  }
  return (found[0] | found[1] | found[2] | found[3]) == 0 &&
         std::ranges::all_of(values.subspan(i), [](float x) { return std::isfinite(x); });
}

void check_logits(std::span<const float> logits, Position position) {
  if (!are_finite(logits)) {
    throw ModelError("the model's logits for position " + std::to_string(position) +
                     " are not finite numbers, so there is no token to choose. A weight is NaN or "
                     "infinite, or too large to compute with: check the model's files against "
                     "their source, or convert the model again.");
  }
}

Token first_equal(std::span<const float> values, float wanted) {
  const auto it = std::find(values.begin(), values.end(), wanted);
  return it == values.end() ? 0 : static_cast<Token>(it - values.begin());
}

struct Choice {
  float logit;
  Token token;
};

/// The order of tokens everywhere: larger logit first, then lower token.
bool comes_first(const Choice& a, const Choice& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

/// Sorts lazily from the front: most draws need only a few of the most likely tokens, and a full
/// sort of the vocabulary would cost more than everything else.
class SortedPrefix {
 public:
  explicit SortedPrefix(std::vector<Choice>& choices) : choices_(choices) {}

  const Choice& operator[](std::size_t index) {
    while (index >= sorted_)
      grow();
    return choices_[index];
  }

 private:
  void grow() {
    const std::size_t end = std::min(choices_.size(), sorted_ == 0 ? first_step : sorted_ * 4);
    const auto begin = choices_.begin() + static_cast<std::ptrdiff_t>(sorted_);
    const auto middle = choices_.begin() + static_cast<std::ptrdiff_t>(end);
    if (end < choices_.size())
      std::nth_element(begin, middle, choices_.end(), comes_first);
    std::sort(begin, middle, comes_first);
    sorted_ = end;
  }

  static constexpr std::size_t first_step = 64;
  std::vector<Choice>& choices_;
  std::size_t sorted_ = 0;
};

Token draw(std::span<const float> logits, float max, const SamplerOptions& options,
           Position position) {
  std::vector<Choice> choices;
  choices.reserve(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > minus_infinity)  // false for NaN
      choices.push_back({logits[i], static_cast<Token>(i)});
  const double temperature = options.temperature;
  const auto weight = [max, temperature](const Choice& choice) {
    return choice.logit == max ? 1.0 : std::exp((double{choice.logit} - max) / temperature);
  };
  // The sum runs over the tokens by id or, after top-k, by rank: an order that depends only on the
  // logits.
  if (options.top_k != 0 && options.top_k < choices.size()) {
    const auto end = choices.begin() + options.top_k;
    std::nth_element(choices.begin(), end, choices.end(), comes_first);
    choices.erase(end, choices.end());
    std::sort(choices.begin(), choices.end(), comes_first);
  }
  double mass = 0;
  for (const Choice& choice : choices)
    mass += weight(choice);
  SortedPrefix ranked(choices);
  std::size_t count = choices.size();
  if (options.top_p < 1) {
    const double wanted = double{options.top_p} * mass;
    double sum = 0;
    std::size_t kept = 0;
    do {
      sum += weight(ranked[kept++]);
    } while (sum < wanted && kept < choices.size());
    count = kept;
    mass = sum;
  }
  const double target = uniform(options.seed, position) * mass;
  double sum = 0;
  Token last = ranked[0].token;
  for (std::size_t i = 0; i < count; ++i) {
    const double w = weight(ranked[i]);
    if (w == 0)
      break;  // all that follow are as small; rounding must not choose them
    sum += w;
    last = ranked[i].token;
    if (sum > target)
      break;
  }
  return last;
}

/// exp(x) for x <= 0, with a relative error below 3e-7; about 1e-38 where that is smaller, and for
/// NaN.
inline void exp_of_negative(FloatVector& x) {
  constexpr float log2_e = 1.44269504F;
  constexpr float ln2_high = 0.693359375F;  // few bits: its product with a small integer is exact
  constexpr float ln2_low = -2.12194440e-4F;
  constexpr float round_to_integer = 12582912.0F;  // 1.5 * 2^23
  const FloatVector least = FloatVector{} - 87.0F;
  x = x > least ? x : least;
  const FloatVector shifted = x * log2_e + round_to_integer;
  const FloatVector n = shifted - round_to_integer;
  const FloatVector r = (x - n * ln2_high) - n * ln2_low;
  FloatVector p = r * (1.0F / 720) + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const auto offset = std::bit_cast<std::int32_t>(round_to_integer) - 127;
  const IntVector power = (std::bit_cast<IntVector>(shifted) - offset) << 23;
  x = p * std::bit_cast<FloatVector>(power);
}

/// The sum of exp(value - max), in float within a block and in double over the blocks.
double sum_of_exp(std::span<const float> values, float max) {
  constexpr std::size_t block = 128 * vector_size;
  const auto add_terms = [max](FloatVector& sums, const float* from, std::size_t count) {
    FloatVector terms = FloatVector{} + minus_infinity;  // adds nothing where the row ends
    std::memcpy(&terms, from, count * sizeof(float));
    terms -= max;
    exp_of_negative(terms);
    sums += terms;
  };
  double total = 0;
  for (std::size_t i = 0; i < values.size();) {
    FloatVector sums{};
    const std::size_t end = std::min(i + block, values.size());
    for (; i + vector_size <= end; i += vector_size)
      add_terms(sums, &values[i], vector_size);  // a constant count: one load
    if (i < end) {
      add_terms(sums, &values[i], end - i);
      i = end;
    }
    for (std::size_t lane = 0; lane < vector_size; ++lane)
      total += sums[lane];
  }
  return total;
}

/// Puts the best `out.size()` logits above minus infinity into `out`, in order; returns their
/// number. Meant for small counts: inserts into a sorted array, after a vectorised check of the
/// next 16 values.
std::size_t select_best(std::span<const float> logits, std::span<Candidate> out) {
  std::size_t count = 0;
  float threshold = minus_infinity;
  for (std::size_t i = 0; i < logits.size(); i += lanes) {
    const auto part = logits.subspan(i, std::min(lanes, logits.size() - i));
    if (!(max_of(part) > threshold))
      continue;  // a tie with the worst one kept loses: its token is higher
    for (std::size_t j = 0; j < part.size(); ++j) {
      if (!(part[j] > threshold))
        continue;
      std::size_t at = count < out.size() ? count++ : count - 1;
      for (; at > 0 && part[j] > out[at - 1].log_prob; --at)
        out[at] = out[at - 1];
      out[at] = {static_cast<Token>(i + j), part[j]};
      if (count == out.size())
        threshold = out.back().log_prob;
    }
  }
  return count;
}

}  // namespace

std::optional<std::string> find_problem(const SamplerOptions& options) {
  if (!(options.temperature >= 0) || !std::isfinite(options.temperature)) {
    return "the temperature is " + std::to_string(options.temperature) +
           ", expected a finite number of 0 (greedy) or more";
  }
  if (!(options.top_p > 0 && options.top_p <= 1))
    return "top-p is " + std::to_string(options.top_p) + ", expected more than 0 and at most 1";
  return std::nullopt;
}

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  constexpr std::uint64_t multiplier_0 = 0xD2511F53;
  constexpr std::uint64_t multiplier_1 = 0xCD9E8D57;
  constexpr std::uint32_t weyl_0 = 0x9E3779B9;
  constexpr std::uint32_t weyl_1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product_0 = multiplier_0 * counter[0];
    const std::uint64_t product_1 = multiplier_1 * counter[2];
    counter = {static_cast<std::uint32_t>(product_1 >> 32) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product_1),
               static_cast<std::uint32_t>(product_0 >> 32) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product_0)};
    key[0] += weyl_0;
    key[1] += weyl_1;
  }
  return counter;
}

double uniform(std::uint64_t seed, Position position) {
  const auto words = philox4x32({position, 0, 0, 0}, {static_cast<std::uint32_t>(seed),
                                                      static_cast<std::uint32_t>(seed >> 32)});
  const std::uint64_t bits = (std::uint64_t{words[0]} << 32 | words[1]) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

Token sample(std::span<const float> logits, const SamplerOptions& options, Position position) {
  const float max = max_of(logits);
  check_logits(logits, position);
  if (!(options.temperature > 0))
    return first_equal(logits, max);
  return draw(logits, max, options, position);
}

std::size_t top_k_log_probs(std::span<const float> logits, std::size_t k,
                            std::span<Candidate> out) {
  out = out.first(std::min({k, out.size(), logits.size()}));
  if (out.empty())
    return 0;
  std::size_t count = select_best(logits, out);
  if (count == 0)
    return 0;
  const float max = out[0].log_prob;
  if (std::isinf(max)) {  // the infinite logits have all the probability
    const auto infinite = std::count(logits.begin(), logits.end(), max);
    count = std::min(count, static_cast<std::size_t>(infinite));
    for (Candidate& candidate : out.first(count))
      candidate.log_prob = -std::log(static_cast<float>(infinite));
    return count;
  }
  const auto log_sum = static_cast<float>(std::log(sum_of_exp(logits, max)));
  for (Candidate& candidate : out.first(count))
    candidate.log_prob = (candidate.log_prob - max) - log_sum;
  return count;
}

}  // namespace flowspec
