#include "models/sampling/candidates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "models/base/portable_math.hpp"
#include "models/sampling/race.hpp"

namespace flowspec {
namespace {

/// Tokens over which the probabilities of a guess with noise are normalised, at least.
constexpr std::size_t normalised = 32;

/// The infinite logits have all the probability.
std::size_t share_among_infinite(std::span<const float> logits, std::span<Candidate> out) {
  std::vector<Token> tokens;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (logits[i] == std::numeric_limits<float>::infinity())
      tokens.push_back(static_cast<Token>(i));
  const std::size_t count = std::min(out.size(), tokens.size());
  for (std::size_t i = 0; i < count; ++i)
    out[i] = {tokens[i], -std::log(static_cast<float>(tokens.size()))};
  return count;
}

std::size_t likely_candidates(const LogitRow& row, const Guess& guess, std::span<Candidate> out) {
  const auto first = row.first(out.size());
  const double largest = row.best().logit;
  const double log_sum = std::log(row.sum_of_exp(1 / double{guess.scale}));
  for (std::size_t i = 0; i < first.size(); ++i)
    out[i] = {first[i].token,
              static_cast<float>((first[i].logit - largest) / guess.scale - log_sum)};
  return first.size();
}

/// What the tokens beyond the winners add to the sum of exp(score * factor), on average. A token's
/// noise gives it the mean factor E[exp(g * factor)] = Gamma(1 - factor), which is finite below 1;
/// above, the winners have nearly all of the sum.
double mean_of_others(const LogitRow& row, std::span<const Runner> winners, double temperature,
                      double factor, const RankedToken& last) {
  constexpr double largest_factor = 0.7;
  if (factor > largest_factor)
    return 0;
  double sum = 0;
  const double largest = row.best().logit;
  if (last.logit == -std::numeric_limits<float>::infinity())
    sum = row.sum_of_exp(factor / temperature);
  else
    for (const RankedToken& token : row.at_least(last.logit))
      sum += std::exp((token.logit - largest) / temperature * factor);
  for (const Runner& winner : winners) {
    const float logit = row.logits()[static_cast<std::size_t>(winner.token)];
    sum -= std::exp((logit - largest) / temperature * factor);
  }
  return std::max(sum, 0.0) * std::tgamma(1 - factor);
}

/// The tokens with the largest scores among those that the filter keeps, best first: at least one,
/// and as many as there are among the `count` best of all.
std::vector<Runner> best_runners(const LogitRow& row, const Guess& guess, Filter& filter,
                                 std::size_t count) {
  const Noise noise(guess.sampling.seed, guess.position);
  for (;;) {
    std::vector<Runner> runners(count);
    runners.resize(find_winners(row, guess.sampling.temperature, noise, filter.last(), runners));
    std::vector<RankedToken> ranked;
    ranked.reserve(runners.size());
    for (const Runner& runner : runners)
      ranked.push_back({row.logits()[static_cast<std::size_t>(runner.token)], runner.token});
    std::ranges::sort(ranked, comes_first);
    const auto dropped = std::partition_point(
        ranked.begin(), ranked.end(), [&](const RankedToken& t) { return filter.keeps(t); });
    if (dropped == ranked.end())
      return runners;
    filter.cut_before(*dropped);
    std::erase_if(runners, [&](const Runner& runner) {
      return comes_first(filter.last(),
                         {row.logits()[static_cast<std::size_t>(runner.token)], runner.token});
    });
    if (!runners.empty())
      return runners;
  }
}

std::size_t coupled_candidates(const LogitRow& row, const Guess& guess, std::span<Candidate> out) {
  const double temperature = guess.sampling.temperature;
  Filter filter(row, guess.sampling);
  const auto runners = best_runners(row, guess, filter, std::max(out.size(), normalised));
  // Scores are in units of the temperature, the scale in units of logits.
  const double factor = temperature / guess.scale;
  const double best = runners.front().score;
  double sum = 0;
  for (const Runner& runner : runners)
    sum += std::exp((runner.score - best) * factor);
  sum +=
      mean_of_others(row, runners, temperature, factor, filter.last()) * std::exp(-best * factor);
  const double log_sum = std::log(sum);
  const std::size_t count = std::min(out.size(), runners.size());
  for (std::size_t i = 0; i < count; ++i)
    out[i] = {runners[i].token, static_cast<float>((runners[i].score - best) * factor - log_sum)};
  return count;
}

}  // namespace

std::size_t best_candidates(std::span<const float> logits, std::size_t k, const Guess& guess,
                            std::span<Candidate> out) {
  out = out.first(std::min({k, out.size(), logits.size()}));
  if (out.empty())
    return 0;
  std::vector<float> shifted;
  if (guess.penalties != nullptr && guess.penalties->any()) {
    shifted.assign(logits.begin(), logits.end());
    guess.penalties->apply(shifted, guess.path);
    logits = shifted;
  }
  const LogitRow row(logits);
  const float largest = row.best().logit;
  if (largest == -std::numeric_limits<float>::infinity())
    return 0;
  if (std::isinf(largest))
    return share_among_infinite(logits, out);
  return guess.coupled && guess.sampling.temperature > 0 ? coupled_candidates(row, guess, out)
                                                         : likely_candidates(row, guess, out);
}

void couple(const Guess& guess, std::vector<Candidate>& candidates) {
  const bool has_noise = guess.coupled && guess.sampling.temperature > 0;
  if (candidates.empty() || (!has_noise && guess.scale == 1))
    return;
  const Noise noise(guess.sampling.seed, guess.position);
  double rest = 1;
  for (Candidate& candidate : candidates) {
    rest -= std::exp(double{candidate.log_prob});
    if (has_noise)
      candidate.log_prob -= static_cast<float>(portable::log(noise.exponential(candidate.token)));
  }
  std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) {
    return a.log_prob > b.log_prob || (a.log_prob == b.log_prob && a.token < b.token);
  });
  const double best = candidates.front().log_prob;
  double sum = 0;
  for (const Candidate& candidate : candidates)
    sum += std::exp((candidate.log_prob - best) / guess.scale);
  if (rest > 0) {
    const double mean_noise = has_noise ? std::numbers::egamma : 0;
    sum += std::exp((std::log(rest) + mean_noise - best) / guess.scale);
  }
  for (Candidate& candidate : candidates)
    candidate.log_prob =
        static_cast<float>((candidate.log_prob - best) / guess.scale - std::log(sum));
}

}  // namespace flowspec
