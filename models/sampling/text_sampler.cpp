#include "models/sampling/text_sampler.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "models/base/portable_math.hpp"
#include "models/sampling/sampler.hpp"

namespace flowspec {
namespace {

/// Adds how likely the token was, and the `count` likeliest.
void add_likelihoods(const LogitRow& row, std::size_t count, Choice& choice) {
  const double log_sum = row.best().logit + portable::log(row.sum_of_exp(1));
  const auto logprob = [&](float logit) {
    constexpr double least = std::numeric_limits<float>::lowest();
    return static_cast<float>(std::clamp(double{logit} - log_sum, least, 0.0));
  };
  choice.logprob = logprob(row.logits()[static_cast<std::size_t>(choice.token)]);
  for (const RankedToken& token : row.first(count))
    choice.top.push_back({token.token, logprob(token.logit)});
}

}  // namespace

TextSampler::TextSampler(SamplerOptions options, Position answer_begin)
    : options_(std::move(options)), penalties_(options_, answer_begin) {}

Choice TextSampler::choose(std::span<float> logits, std::span<const Token> path,
                           Position position) const {
  Choice choice;
  if (!penalties_.any()) {
    const LogitRow row(logits);
    choice.token = sample(row, options_, position);
    if (options_.logprobs > 0)
      add_likelihoods(row, options_.logprobs - 1, choice);
    return choice;
  }
  std::vector<float> own;
  if (options_.logprobs > 0)
    own.assign(logits.begin(), logits.end());
  penalties_.apply(logits, path);
  choice.token = sample(logits, options_, position);
  if (options_.logprobs > 0)
    add_likelihoods(LogitRow(own), options_.logprobs - 1, choice);
  return choice;
}

}  // namespace flowspec
