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

std::optional<std::string> find_problem(const std::vector<TokenBias>& biases,
                                        std::size_t vocab_size) {
  if (biases.size() > most_biases)
    return std::to_string(biases.size()) + " tokens have a bias, at most " +
           std::to_string(most_biases) + " can";
  for (std::size_t i = 0; i < biases.size(); ++i) {
    const auto [token, bias] = biases[i];
    const std::string name = "the bias of token " + std::to_string(token);
    if (token < 0 || (vocab_size != 0 && static_cast<std::size_t>(token) >= vocab_size))
      return name + " is for no token of the model" +
             (vocab_size == 0 ? std::string{}
                              : ", which has the tokens 0 to " + std::to_string(vocab_size - 1));
    if (!std::isfinite(bias))
      return name + " is " + std::to_string(bias) +
             ", expected a finite number: -1000 keeps the model from choosing the token, 1000 "
             "makes "
             "it choose it";
    if (i > 0 && token == biases[i - 1].token)
      return name + " is given twice";
    if (i > 0 && token < biases[i - 1].token)
      return name + " comes after that of token " + std::to_string(biases[i - 1].token) +
             ", expected rising tokens";
  }
  return std::nullopt;
}

std::optional<std::string> find_problem_of_penalty(const std::string& name, float penalty) {
  if (std::abs(penalty) <= most_penalty)  // false for NaN
    return std::nullopt;
  return name + " is " + std::to_string(penalty) + ", expected a number from -100 to 100 (0: none)";
}

}  // namespace

std::optional<std::string> find_problem(const SamplerOptions& options, std::size_t vocab_size) {
  if (!(options.temperature >= 0) || !std::isfinite(options.temperature)) {
    return "the temperature is " + std::to_string(options.temperature) +
           ", expected a finite number of 0 (greedy) or more";
  }
  if (!(options.top_p > 0 && options.top_p <= 1))
    return "top-p is " + std::to_string(options.top_p) + ", expected more than 0 and at most 1";
  if (!(options.min_p >= 0 && options.min_p <= 1))
    return "min-p is " + std::to_string(options.min_p) + ", expected a number from 0 to 1";
  if (!(options.repetition_penalty > 0) || !std::isfinite(options.repetition_penalty))
    return "the repetition penalty is " + std::to_string(options.repetition_penalty) +
           ", expected a finite number above 0 (1: none)";
  if (auto problem = find_problem_of_penalty("the frequency penalty", options.frequency_penalty))
    return problem;
  if (auto problem = find_problem_of_penalty("the presence penalty", options.presence_penalty))
    return problem;
  if (options.logprobs > most_logprobs)
    return "log-probabilities of " + std::to_string(options.logprobs) +
           " tokens are wanted, at most " + std::to_string(most_logprobs) + " are told";
  return find_problem(options.logit_bias, vocab_size);
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
