/// Sampling against a plain implementation.

#include "models/sampling/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/sampling/noise.hpp"
#include "tests/support/logits.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// The tokens that the filters keep, by a full sort and in extended precision. Gives also how near
/// the sums came to a border.
std::pair<std::vector<Token>, double> plain_filter(const std::vector<float>& logits,
                                                   const SamplerOptions& options) {
  std::vector<Token> order = ranking(logits);
  if (options.top_k != 0 && options.top_k < order.size())
    order.resize(options.top_k);
  std::vector<long double> weight;
  long double sum = 0;
  for (const Token token : order) {
    const long double logit = logits[static_cast<std::size_t>(token)];
    const long double best = logits[static_cast<std::size_t>(order[0])];
    weight.push_back(std::exp((logit - best) / options.temperature));
    sum += weight.back();
  }
  long double mass = 0;
  std::size_t count = 0;
  double border = 1;
  while (count < order.size() && (options.top_p >= 1 || mass < options.top_p * sum)) {
    mass += weight[count++];
    if (options.top_p < 1)
      border = std::min(border, std::abs(static_cast<double>(mass / sum - options.top_p)));
  }
  while (count > 1 && weight[count - 1] < options.min_p)
    --count;
  for (const long double w : weight)
    if (options.min_p > 0)
      border = std::min(border, std::abs(static_cast<double>(w - options.min_p)));
  order.resize(count);
  return {order, border};
}

/// The definition of `sample`: every token that is kept has noise, and the best sum is taken.
Token plain_sample(const std::vector<float>& logits, const std::vector<Token>& kept,
                   const SamplerOptions& options, Position position) {
  const Noise noise(options.seed, position);
  Token best = kept.front();
  long double best_score = -std::numeric_limits<long double>::infinity();
  for (const Token token : kept) {
    const long double logit = logits[static_cast<std::size_t>(token)];
    const long double score =
        logit / options.temperature - std::log(static_cast<long double>(noise.exponential(token)));
    if (score > best_score) {
      best = token;
      best_score = score;
    }
  }
  return best;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sampler)

BOOST_AUTO_TEST_CASE(greedy_takes_the_first_of_the_largest) {
  for (const std::size_t count : {1U, 15U, 16U, 17U, 100U, 32000U}) {
    std::vector<float> logits = random_logits(count, static_cast<std::uint32_t>(count));
    BOOST_TEST(sample(logits, {}, 0) == ranking(logits)[0]);
    logits[count / 2] = logits[count - 1] = 99;
    BOOST_TEST(sample(logits, {}, 0) == static_cast<Token>(count / 2));
    for (const float bad : {not_a_number, infinity}) {
      for (const std::size_t at : {std::size_t{0}, count / 2, count - 1}) {
        std::vector<float> broken = logits;
        broken[at] = bad;
        BOOST_CHECK_THROW(sample(broken, {}, 0), ModelError);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(odd_logits) {
  const SamplerOptions warm{.temperature = 1, .top_k = 2, .top_p = 0.9F, .seed = 1};
  for (const SamplerOptions& options : {SamplerOptions{}, warm}) {
    for (Position position = 0; position < 20; ++position) {
      for (const std::vector<float>& broken : {std::vector<float>{not_a_number, not_a_number},
                                               {-infinity, 2},
                                               {1, -infinity, not_a_number},
                                               {3, infinity, 4}}) {
        BOOST_CHECK_EXCEPTION(
            sample(broken, options, position), ModelError,
            [&](const ModelError& error) {
              const std::string place = "position " + std::to_string(position);
              return std::string(error.what()).find(place) != std::string::npos;
            });
      }
      BOOST_TEST(sample(std::vector<float>{0, -1e30F, -3e38F}, options, position) == 0);
      BOOST_TEST(sample(std::vector<float>{-3e38F, 3e38F}, options, position) == 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_same_as_the_plain_definition) {
  int compared = 0;
  for (std::uint32_t round = 0; round < 400; ++round) {
    std::vector<float> logits = random_logits(1 + round * 7 % 700, round);
    if (round % 3 == 0)  // many ties
      std::ranges::transform(logits, logits.begin(), [](float x) { return std::round(x); });
    const std::array<float, 4> temperatures{0.3F, 1, 2, 0.01F};
    const std::array<std::uint32_t, 4> top_k{0, 1, 5, 100000};
    const std::array<float, 4> top_p{1, 0.95F, 0.5F, 1e-6F};
    const std::array<float, 3> min_p{0, 0.02F, 1};
    const SamplerOptions options{temperatures[round % 4], top_k[round / 4 % 4],
                                 top_p[round / 16 % 4], round, min_p[round % 3]};
    const auto [kept, border] = plain_filter(logits, options);
    if (border < 1e-6 && options.min_p < 1)  // nearer, the rounding of the two may differ
      continue;
    for (Position position = 0; position < 20; ++position) {
      BOOST_REQUIRE_EQUAL(sample(logits, options, position),
                          plain_sample(logits, kept, options, position));
      ++compared;
    }
  }
  BOOST_TEST(compared > 7000);
}

BOOST_AUTO_TEST_CASE(a_large_vocabulary_at_any_temperature) {
  for (const float temperature : {1e-40F, 0.1F, 1.0F, 10.0F, 1e30F}) {
    std::vector<float> logits = random_logits(32001, 5, 2);
    const SamplerOptions options{.temperature = temperature, .seed = 77};
    const std::vector<Token> all = ranking(logits);
    for (Position position = 0; position < 5; ++position)
      BOOST_REQUIRE_EQUAL(sample(logits, options, position),
                          plain_sample(logits, all, options, position));
  }
}

BOOST_AUTO_TEST_CASE(filters_keep_the_first_whatever_they_say) {
  const std::vector<float> logits{1, 3, 3, 2};
  for (const SamplerOptions& options :
       {SamplerOptions{.temperature = 1, .top_k = 1}, {.temperature = 1, .top_p = 1e-9F}})
    for (Position position = 0; position < 50; ++position)
      BOOST_TEST(sample(logits, options, position) == 1);
  // Equally likely tokens are all at least as likely as the first.
  std::set<Token> chosen;
  for (Position position = 0; position < 50; ++position)
    chosen.insert(sample(logits, {.temperature = 1, .min_p = 1}, position));
  BOOST_TEST((chosen == std::set<Token>{1, 2}));
}

BOOST_AUTO_TEST_CASE(frequencies_follow_the_softmax) {
  const std::vector<float> logits{0, std::log(2.0F), std::log(5.0F), std::log(8.0F)};
  std::array<int, 4> counts{};
  for (Position position = 0; position < 16000; ++position)
    ++counts[static_cast<std::size_t>(sample(logits, {.temperature = 1, .seed = 9}, position))];
  const std::array<double, 4> expected{1000, 2000, 5000, 8000};
  double chi_squared = 0;
  for (std::size_t i = 0; i < 4; ++i)
    chi_squared += (counts[i] - expected[i]) * (counts[i] - expected[i]) / expected[i];
  BOOST_TEST(chi_squared < 16.3);  // 0.1 % at 3 degrees of freedom
}

BOOST_AUTO_TEST_CASE(problems_are_named) {
  BOOST_TEST(!find_problem({}));
  BOOST_TEST(!find_problem({.temperature = 0.7F, .top_k = 40, .top_p = 0.9F, .seed = 1}));
  BOOST_TEST(find_problem({.temperature = -1}).value_or("").find("temperature") !=
             std::string::npos);
  BOOST_TEST(find_problem({.temperature = not_a_number}).has_value());
  BOOST_TEST(find_problem({.top_p = 0}).value_or("").find("top-p") != std::string::npos);
  BOOST_TEST(find_problem({.top_p = 1.5F}).has_value());
  BOOST_TEST(find_problem({.min_p = -0.1F}).value_or("").find("min-p") != std::string::npos);
  BOOST_TEST(find_problem({.min_p = not_a_number}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
