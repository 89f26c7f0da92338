#include "runtime/verify/goodness.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include <boost/math/special_functions/gamma.hpp>

namespace flowspec {

namespace {

/// The logits after penalties and biases (see models/sampling/penalties.hpp), by going through all
/// tokens.
std::vector<float> shifted_logits(std::span<const float> own, const SamplerOptions& options,
                                  std::span<const Token> prompt, std::span<const Token> answer) {
  std::vector<float> logits(own.begin(), own.end());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    auto token = static_cast<Token>(i);
    auto in_prompt = std::ranges::count(prompt, token);
    auto in_answer = std::ranges::count(answer, token);
    float& logit = logits[i];
    if (in_prompt + in_answer > 0 && logit > 0)
      logit /= options.repetition_penalty;
    else if (in_prompt + in_answer > 0)
      logit *= options.repetition_penalty;
    logit -= static_cast<float>(in_answer) * options.frequency_penalty;
    logit -= in_answer > 0 ? options.presence_penalty : 0;
    for (const TokenBias& biased : options.logit_bias)
      logit += biased.token == token ? biased.bias : 0;
  }
  return logits;
}

}  // namespace

std::vector<double> token_probabilities(std::span<const float> own, const SamplerOptions& options,
                                        std::span<const Token> prompt,
                                        std::span<const Token> answer) {
  auto logits = shifted_logits(own, options, prompt, answer);
  std::vector<Token> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  auto logit = [&](Token token) { return logits[static_cast<std::size_t>(token)]; };
  std::sort(order.begin(), order.end(),
            [&](Token a, Token b) { return logit(a) != logit(b) ? logit(a) > logit(b) : a < b; });
  if (options.top_k > 0 && options.top_k < order.size())
    order.resize(options.top_k);
  std::vector<double> result(logits.size());
  double sum = 0;
  for (Token token : order)
    sum += result[static_cast<std::size_t>(token)] =
        std::exp((double{logit(token)} - double{logit(order.front())}) / options.temperature);
  double kept = 0;
  for (Token token : order) {
    auto& probability = result[static_cast<std::size_t>(token)];
    bool enough = kept >= options.top_p * sum;
    // The likeliest token has the weight 1.
    probability = enough || probability < options.min_p ? 0 : probability;
    kept += probability;
  }
  for (double& probability : result)
    probability /= kept;
  return result;
}

namespace {

class OutcomeCounter {
 public:
  OutcomeCounter(std::size_t count, std::size_t length, const NextToken& next,
                 const std::function<bool(Token)>& is_end)
      : count_(static_cast<double>(count)), length_(length), next_(next), is_end_(is_end) {}

  /// `texts`: those that begin with `prefix_`, whose probability is `mass`.
  void split(const std::vector<const std::vector<Token>*>& texts, double mass) {
    if (prefix_.size() == length_ || (!prefix_.empty() && is_end_(prefix_.back()))) {
      outcomes.push_back({count_ * mass, texts.size()});
      return;
    }
    auto probabilities = next_(prefix_);
    std::map<Token, std::vector<const std::vector<Token>*>> by_token;
    Outcome rest{count_ * mass, texts.size()};
    for (const auto* text : texts)
      if (text->size() > prefix_.size())
        by_token[(*text)[prefix_.size()]].push_back(text);
    for (std::size_t i = 0; i < probabilities.size(); ++i) {
      auto part = mass * probabilities[i];
      if (count_ * part < least_expected)
        continue;
      auto token = static_cast<Token>(i);
      prefix_.push_back(token);
      split(by_token[token], part);
      prefix_.pop_back();
      rest.expected -= count_ * part;
      rest.observed -= by_token[token].size();
    }
    // A remainder within rounding errors counts as 0; it matters only if something was observed in
    // it.
    rest.expected = rest.expected > 1e-9 * count_ ? rest.expected : 0;
    if (rest.expected > 0 || rest.observed > 0)
      outcomes.push_back(rest);
  }

  std::vector<Outcome> outcomes;

 private:
  double count_;
  std::size_t length_;
  const NextToken& next_;
  const std::function<bool(Token)>& is_end_;
  std::vector<Token> prefix_;
};

}  // namespace

std::vector<Outcome> count_outcomes(std::span<const std::vector<Token>> texts, std::size_t length,
                                    const NextToken& next,
                                    const std::function<bool(Token)>& is_end) {
  std::vector<const std::vector<Token>*> all;
  for (const auto& text : texts)
    all.push_back(&text);
  OutcomeCounter counter(texts.size(), length, next, is_end);
  if (!all.empty())
    counter.split(all, 1);
  return std::move(counter.outcomes);
}

ChiSquare chi_square(std::vector<Outcome> outcomes) {
  bool impossible = std::any_of(outcomes.begin(), outcomes.end(), [](const Outcome& outcome) {
    return outcome.expected <= 0 && outcome.observed > 0;
  });
  if (impossible)
    return {std::numeric_limits<double>::infinity(), 1, 0};
  std::sort(outcomes.begin(), outcomes.end(),
            [](const Outcome& a, const Outcome& b) { return a.expected > b.expected; });
  Outcome rare;
  while (!outcomes.empty() && (outcomes.back().expected < least_expected ||
                               (rare.expected > 0 && rare.expected < least_expected))) {
    rare.expected += outcomes.back().expected;
    rare.observed += outcomes.back().observed;
    outcomes.pop_back();
  }
  if (rare.expected > 0)
    outcomes.push_back(rare);
  ChiSquare result;
  for (const Outcome& outcome : outcomes) {
    auto off = static_cast<double>(outcome.observed) - outcome.expected;
    result.statistic += off * off / outcome.expected;
  }
  result.degrees_of_freedom =
      outcomes.empty() ? 0 : static_cast<std::uint32_t>(outcomes.size() - 1);
  result.p_value = chi_square_tail(result.statistic, result.degrees_of_freedom);
  return result;
}

double chi_square_tail(double statistic, std::uint32_t degrees_of_freedom) {
  if (degrees_of_freedom == 0 || statistic <= 0)
    return 1;
  if (std::isinf(statistic))
    return 0;
  return boost::math::gamma_q(degrees_of_freedom / 2.0, statistic / 2);
}

}  // namespace flowspec
