/// Sampling against a plain implementation, the generator against published vectors.

#include "models/layers/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"

using namespace flowspec;

namespace {

using Words = std::array<std::uint32_t, 4>;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

std::vector<float> random_logits(std::size_t count, std::uint32_t seed, float deviation = 3) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> logits(count);
  std::ranges::generate(logits, [&] { return normal(random); });
  return logits;
}

/// Tokens by logit, larger first, then by number.
std::vector<Token> ranking(const std::vector<float>& logits) {
  std::vector<Token> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&logits](Token a, Token b) {
    return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
  });
  return order;
}

/// The definition of `sample`, with a full sort and extended precision. Gives also how near the
/// draw came to the border between two tokens.
std::pair<Token, double> plain_sample(const std::vector<float>& logits,
                                      const SamplerOptions& options, Position position) {
  std::vector<Token> order = ranking(logits);
  if (options.top_k != 0 && options.top_k < order.size())
    order.resize(options.top_k);
  std::vector<long double> probability;
  long double sum = 0;
  for (const Token token : order) {
    const long double logit = logits[static_cast<std::size_t>(token)];
    const long double best = logits[static_cast<std::size_t>(order[0])];
    probability.push_back(std::exp((logit - best) / options.temperature));
    sum += probability.back();
  }
  long double mass = 0;
  std::size_t count = 0;
  double border = 1;
  while (count < order.size() && (options.top_p >= 1 || mass < options.top_p * sum)) {
    mass += probability[count++];
    if (options.top_p < 1)
      border = std::min(border, std::abs(static_cast<double>(mass / sum - options.top_p)));
  }
  const long double target = uniform(options.seed, position) * mass;
  long double reached = 0;
  Token chosen = order[count - 1];
  for (std::size_t i = 0; i < count; ++i) {
    reached += probability[i];
    border = std::min(border, std::abs(static_cast<double>((reached - target) / sum)));
    if (reached > target) {
      chosen = order[i];
      break;
    }
  }
  return {chosen, border};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sampler)

BOOST_AUTO_TEST_CASE(philox_gives_the_published_vectors) {
  // Random123's known-answer tests, philox4x32 with 10 rounds.
  BOOST_TEST(philox4x32({0, 0, 0, 0}, {0, 0}) ==
             (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  BOOST_TEST(
      philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
      (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  BOOST_TEST(
      philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
      (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

BOOST_AUTO_TEST_CASE(uniform_numbers_are_uniform_and_all_of_the_seed_counts) {
  BOOST_TEST(uniform(0, 0) == static_cast<double>(0x6627e8d5e169c58dULL >> 11) * 0x1p-53);
  std::array<int, 16> counts{};
  for (Position position = 0; position < 16000; ++position) {
    const double u = uniform(123, position);
    BOOST_REQUIRE(u >= 0 && u < 1);
    ++counts[static_cast<std::size_t>(u * 16)];
  }
  double chi_squared = 0;
  for (const int count : counts)
    chi_squared += (count - 1000.0) * (count - 1000.0) / 1000;
  BOOST_TEST(chi_squared < 37.7);  // 0.1 % of all seeds exceed this at 15 degrees of freedom
  BOOST_TEST(uniform(1, 5) != uniform(2, 5));
  BOOST_TEST(uniform(1, 5) != uniform(1 | std::uint64_t{1} << 32, 5));
}

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
    const SamplerOptions options{temperatures[round % 4], top_k[round / 4 % 4],
                                 top_p[round / 16 % 4], round};
    for (Position position = 0; position < 20; ++position) {
      const auto [expected, border] = plain_sample(logits, options, position);
      if (border > 1e-12) {  // nearer, the rounding of the two may differ
        BOOST_REQUIRE_EQUAL(sample(logits, options, position), expected);
        ++compared;
      }
    }
  }
  BOOST_TEST(compared > 7000);
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
}

BOOST_AUTO_TEST_CASE(top_k_log_probs_are_those_of_the_softmax) {
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
      BOOST_REQUIRE_EQUAL(top_k_log_probs(logits, k, out), std::min(k, count));
      for (std::size_t i = 0; i < std::min(k, count); ++i) {
        BOOST_REQUIRE_EQUAL(out[i].token, order[i]);
        const double expected = logits[static_cast<std::size_t>(order[i])] - std::log(sum);
        BOOST_REQUIRE_SMALL(out[i].log_prob - expected, 3e-6 + 1e-6 * std::abs(expected));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(top_k_of_odd_logits) {
  std::array<Candidate, 3> out{};
  BOOST_TEST(
      top_k_log_probs(std::vector<float>{not_a_number, -infinity, 2, not_a_number}, 3, out) == 1U);
  BOOST_TEST(out[0].token == 2);
  BOOST_TEST(std::abs(out[0].log_prob) < 1e-6);
  BOOST_TEST(top_k_log_probs(std::vector<float>{not_a_number, not_a_number}, 3, out) == 0U);
  BOOST_TEST(top_k_log_probs(std::vector<float>{1, infinity, infinity}, 3, out) == 2U);
  BOOST_TEST(out[0].token == 1);
  BOOST_TEST(out[1].log_prob == -std::log(2.0F));
  BOOST_TEST(top_k_log_probs(std::vector<float>{1, 2}, 0, out) == 0U);
  BOOST_TEST(top_k_log_probs(std::vector<float>{1e30F, 2, -1e30F}, 2, std::span(out).first(2)) ==
             2U);
  BOOST_TEST(out[0].log_prob == 0);
}

BOOST_AUTO_TEST_SUITE_END()
