#include "models/sampling/filters.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "models/base/portable_math.hpp"

namespace flowspec {
namespace {

constexpr RankedToken all_tokens{-std::numeric_limits<float>::infinity(),
                                 std::numeric_limits<Token>::max()};
/// Beyond this, exp is nearly the least number there is.
constexpr double least_exponent = -700;

double weight(const RankedToken& token, float largest, double temperature) {
  const double exponent = (double{token.logit} - largest) / temperature;
  return exponent > least_exponent ? portable::exp(exponent) : 0;
}

/// The last token of `top_k`, and of those of `top_p`.
RankedToken last_of_first(const LogitRow& row, const SamplerOptions& options) {
  const auto tokens = row.first(options.top_k);
  std::vector<double> weights;
  double mass = 0;
  for (const RankedToken& token : tokens) {
    weights.push_back(weight(token, row.best().logit, options.temperature));
    mass += weights.back();
  }
  double sum = 0;
  std::size_t kept = 0;
  do {
    sum += weights[kept++];
  } while (kept < tokens.size() && (options.top_p >= 1 || sum < options.top_p * mass));
  return tokens[kept - 1];
}

}  // namespace

std::optional<std::string> find_problem(const SamplerOptions& options) {
  if (!(options.temperature >= 0) || !std::isfinite(options.temperature)) {
    return "the temperature is " + std::to_string(options.temperature) +
           ", expected a finite number of 0 (greedy) or more";
  }
  if (!(options.top_p > 0 && options.top_p <= 1))
    return "top-p is " + std::to_string(options.top_p) + ", expected more than 0 and at most 1";
  if (!(options.min_p >= 0 && options.min_p <= 1))
    return "min-p is " + std::to_string(options.min_p) + ", expected a number from 0 to 1";
  return std::nullopt;
}

Filter::Filter(const LogitRow& row, const SamplerOptions& options)
    : row_(row), temperature_(options.temperature), last_(all_tokens) {
  if (options.top_k != 0 && options.top_k < row.logits().size())
    last_ = last_of_first(row, options);
  else
    top_p_ = options.top_p;
  if (options.min_p <= 0)
    return;
  const double least = row.best().logit + temperature_ * portable::log(options.min_p);
  // The first token is kept whatever rounding does.
  const auto logit = std::min(static_cast<float>(std::max(least, -3e38)), row.best().logit);
  const RankedToken border{logit, std::numeric_limits<Token>::max()};
  last_ = comes_first(border, last_) ? border : last_;
}

bool Filter::keeps(const RankedToken& token) {
  if (top_p_ >= 1 || token == row_.best())
    return true;
  if (nucleus_ == 0)
    nucleus_ = top_p_ * row_.sum_of_exp(1 / temperature_);
  return row_.sum_of_exp(1 / temperature_, token) < nucleus_;
}

}  // namespace flowspec
