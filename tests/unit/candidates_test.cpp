/// What drafts propose: likely tokens, and with the target's noise the tokens that it will draw.

#include "models/sampling/candidates.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include <boost/test/unit_test.hpp>

#include "models/sampling/noise.hpp"
#include "models/sampling/sampler.hpp"
#include "tests/support/logits.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// The scores of all tokens, as `best_candidates` defines them.
std::vector<double> plain_scores(const std::vector<float>& logits, const Guess& guess) {
  const Noise noise(guess.sampling.seed, guess.position);
  std::vector<double> scores;
  for (std::size_t i = 0; i < logits.size(); ++i)
    scores.push_back(logits[i] - double{guess.sampling.temperature} *
                                     std::log(noise.exponential(static_cast<Token>(i))));
  return scores;
}

/// The logits of a target, of which a draft's are off by Gumbel noise of this scale.
std::vector<float> target_of(const std::vector<float>& logits, float scale, std::mt19937& random) {
  std::extreme_value_distribution<float> gumbel(0, scale);
  std::vector<float> result;
  for (const float logit : logits)
    result.push_back(logit + gumbel(random));
  return result;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(candidates)

BOOST_AUTO_TEST_CASE(without_noise_they_are_the_likeliest) {
  for (const std::size_t count : {1U, 3U, 16U, 33U, 1000U, 32000U}) {
    std::vector<float> logits = random_logits(count, static_cast<std::uint32_t>(count), 5);
    if (count == 1000)
      std::ranges::transform(logits, logits.begin(), [](float x) { return std::round(x); });
    const std::vector<Token> order = ranking(logits);
    double sum = 0;
    for (const float logit : logits)
      sum += std::exp(static_cast<double>(logit));
    for (const std::size_t k : {1U, 4U, 16U, 40U}) {
      std::vector<Candidate> out(k);
      BOOST_REQUIRE_EQUAL(best_candidates(logits, k, {}, out), std::min(k, count));
      for (std::size_t i = 0; i < std::min(k, count); ++i) {
        BOOST_REQUIRE_EQUAL(out[i].token, order[i]);
        const double expected = logits[static_cast<std::size_t>(order[i])] - std::log(sum);
        BOOST_REQUIRE_SMALL(out[i].log_prob - expected, 3e-6 + 1e-6 * std::abs(expected));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(odd_logits) {
  std::array<Candidate, 3> out{};
  BOOST_TEST(best_candidates(std::vector<float>{not_a_number, -infinity, 2, not_a_number}, 3, {},
                             out) == 1U);
  BOOST_TEST(out[0].token == 2);
  BOOST_TEST(std::abs(out[0].log_prob) < 1e-6);
  BOOST_TEST(best_candidates(std::vector<float>{not_a_number, not_a_number}, 3, {}, out) == 0U);
  BOOST_TEST(best_candidates(std::vector<float>{1, infinity, infinity}, 3, {}, out) == 2U);
  BOOST_TEST(out[0].token == 1);
  BOOST_TEST(out[1].log_prob == -std::log(2.0F));
  BOOST_TEST(best_candidates(std::vector<float>{1, 2}, 0, {}, out) == 0U);
  BOOST_TEST(
      best_candidates(std::vector<float>{1e30F, 2, -1e30F}, 2, {}, std::span(out).first(2)) == 2U);
  BOOST_TEST(out[0].log_prob == 0);
}

BOOST_AUTO_TEST_CASE(a_scale_flattens_or_sharpens) {
  const std::vector<float> logits = random_logits(500, 3);
  for (const float scale : {0.25F, 0.5F, 2.0F}) {
    std::vector<float> scaled = logits;
    for (float& logit : scaled)
      logit /= scale;
    std::vector<Candidate> expected(10);
    std::vector<Candidate> actual(10);
    best_candidates(scaled, 10, {}, expected);
    best_candidates(logits, 10, {{}, 0, true, scale}, actual);
    for (std::size_t i = 0; i < 10; ++i) {
      BOOST_REQUIRE_EQUAL(actual[i].token, expected[i].token);
      BOOST_REQUIRE_SMALL(actual[i].log_prob - expected[i].log_prob, 1e-4F);
    }
  }
}

BOOST_AUTO_TEST_CASE(with_noise_they_are_the_best_sums) {
  for (const std::size_t count : {1U, 31U, 32U, 33U, 700U, 32000U})
    for (const float temperature : {0.2F, 1.0F, 3.0F})
      for (const std::size_t k : {1U, 10U, 40U}) {
        const std::vector<float> logits = random_logits(count, static_cast<std::uint32_t>(count));
        const Guess guess{{.temperature = temperature, .seed = k}, 17, true, 0.6F};
        const auto scores = plain_scores(logits, guess);
        const auto order = ranking(scores);
        std::vector<Candidate> out(k);
        BOOST_REQUIRE_EQUAL(best_candidates(logits, k, guess, out), std::min(k, count));
        double sum = 0;
        for (const double score : scores)
          sum += std::exp((score - scores[static_cast<std::size_t>(order[0])]) / 0.6);
        for (std::size_t i = 0; i < std::min(k, count); ++i) {
          BOOST_REQUIRE_EQUAL(out[i].token, order[i]);
          const double z = scores[static_cast<std::size_t>(order[i])] -
                           scores[static_cast<std::size_t>(order[0])];
          // The sum leaves out what hardly counts, or takes its mean.
          BOOST_REQUIRE_SMALL(out[i].log_prob - (z / 0.6 - std::log(sum)), 0.3);
        }
      }
}

BOOST_AUTO_TEST_CASE(the_target_itself_as_the_draft_is_always_right) {
  const std::vector<float> logits = random_logits(5000, 8, 2);
  const SamplerOptions filtered{
      .temperature = 0.8F, .top_k = 100, .top_p = 0.9F, .seed = 4, .min_p = 0.001F};
  for (const SamplerOptions& sampling : {SamplerOptions{.temperature = 1, .seed = 3}, filtered})
    for (Position position = 0; position < 200; ++position) {
      Candidate best;
      best_candidates(logits, 1, {sampling, position}, {&best, 1});
      BOOST_REQUIRE_EQUAL(best.token, sample(logits, sampling, position));
    }
}

BOOST_AUTO_TEST_CASE(another_position_has_other_noise) {
  const std::vector<float> logits = random_logits(5000, 8, 1);
  const SamplerOptions sampling{.temperature = 1, .seed = 3};
  int equal = 0;
  for (Position position = 0; position < 200; ++position) {
    Candidate best;
    best_candidates(logits, 1, {sampling, position + 1}, {&best, 1});
    equal += best.token == sample(logits, sampling, position) ? 1 : 0;
  }
  BOOST_TEST(equal < 20);
}

BOOST_AUTO_TEST_CASE(filters_hold_for_the_draft_too) {
  const std::vector<float> logits = random_logits(1000, 2);
  const auto order = ranking(logits);
  const Guess guess{{.temperature = 2, .top_k = 3, .seed = 1}, 0};
  std::vector<Candidate> out(10);
  BOOST_REQUIRE_EQUAL(best_candidates(logits, 10, guess, out), 3U);
  for (std::size_t i = 0; i < 3; ++i)
    BOOST_TEST((std::find(order.begin(), order.begin() + 3, out[i].token) != order.begin() + 3));
}

// If the draft is off by Gumbel noise of the scale, its log-probabilities are right: of the guesses
// that it gives 0.6 to 0.7, so many come true.
BOOST_AUTO_TEST_CASE(probabilities_come_true) {
  std::mt19937 random(1);
  constexpr std::size_t bins = 5;
  std::array<double, bins> promised{};
  std::array<double, bins> kept{};
  std::array<double, bins> count{};
  for (Position position = 0; position < 20000; ++position) {
    const std::vector<float> draft = random_logits(64, position % 50, 2);
    const SamplerOptions sampling{.temperature = 1, .seed = 5};
    const std::vector<float> logits = target_of(draft, 0.5F, random);
    Candidate best;
    best_candidates(draft, 1, {sampling, position, true, 0.5F}, {&best, 1});
    const double probability = std::exp(best.log_prob);
    const auto bin = std::min(static_cast<std::size_t>(probability * bins), bins - 1);
    promised[bin] += probability;
    kept[bin] += best.token == sample(logits, sampling, position) ? 1 : 0;
    ++count[bin];
  }
  for (std::size_t bin = 1; bin < bins; ++bin) {
    BOOST_REQUIRE_GT(count[bin], 500);
    BOOST_TEST(std::abs(promised[bin] - kept[bin]) / count[bin] < 0.04);
  }
}

BOOST_AUTO_TEST_CASE(guesses_that_are_probabilities_take_noise_too) {
  const std::vector<Candidate> plain{{5, std::log(0.5F)}, {9, std::log(0.25F)}};
  auto same = plain;
  couple({}, same);
  BOOST_TEST((same == plain));
  double mass = 0;
  int first = 0;
  for (Position position = 0; position < 4000; ++position) {
    auto guesses = plain;
    couple({{.temperature = 1, .seed = 2}, position}, guesses);
    BOOST_REQUIRE_EQUAL(guesses.size(), 2U);
    BOOST_REQUIRE_GE(guesses[0].log_prob, guesses[1].log_prob);
    mass += std::exp(guesses[0].log_prob) + std::exp(guesses[1].log_prob);
    first += guesses[0].token == 5 ? 1 : 0;
  }
  BOOST_TEST(std::abs(first / 4000.0 - 2.0 / 3) < 0.03);
  BOOST_TEST(mass / 4000 > 0.6);
  BOOST_TEST(mass / 4000 < 0.9);
}

BOOST_AUTO_TEST_SUITE_END()
