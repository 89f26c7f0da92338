/// Options that depend on the text, and how likely a chosen token was.

#include "models/sampling/penalties.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/sampling/candidates.hpp"
#include "models/sampling/sampler.hpp"
#include "models/sampling/text_sampler.hpp"
#include "tests/support/logits.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

using Tokens = std::vector<Token>;

/// The logits after `prompt` and `answer`, of which the last `apart` tokens are told as a path.
std::vector<float> shifted(std::vector<float> logits, const SamplerOptions& options,
                           const Tokens& prompt, const Tokens& answer, std::size_t apart = 0) {
  Tokens text = prompt;
  text.insert(text.end(), answer.begin(), answer.end());
  Penalties penalties(options, static_cast<Position>(prompt.size()));
  const std::span<const Token> all(text);
  penalties.append(all.first(all.size() - apart));
  penalties.apply(logits, all.last(apart));
  return logits;
}

/// Not equal if a zero has another sign.
bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

SamplerOptions all_penalties() {
  SamplerOptions options;
  options.repetition_penalty = 1.3F;
  options.frequency_penalty = 0.7F;
  options.presence_penalty = -0.2F;
  options.logit_bias = {{2, 1.5F}, {5, -3}};
  return options;
}

SamplerOptions with_biases(std::vector<TokenBias> biases) {
  SamplerOptions options;
  options.logit_bias = std::move(biases);
  return options;
}

bool names(const std::optional<std::string>& problem, const std::string& what) {
  return problem && problem->find(what) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(penalties)

BOOST_AUTO_TEST_CASE(a_repetition_penalty_makes_what_is_in_prompt_or_answer_less_likely) {
  SamplerOptions options;
  options.repetition_penalty = 2;
  // Divides what is positive, multiplies what is negative; how often makes no difference.
  BOOST_TEST(
      (shifted({4, 3, -2, -1, 0}, options, {0, 0}, {2, 4}) == std::vector<float>{2, 3, -4, -1, 0}));
  options.repetition_penalty = 0.5F;
  BOOST_TEST((shifted({4, 3, -2}, options, {0}, {2}) == std::vector<float>{8, 3, -1}));
}

BOOST_AUTO_TEST_CASE(a_frequency_penalty_counts_the_answer_alone) {
  SamplerOptions options;
  options.frequency_penalty = 0.5F;
  BOOST_TEST((shifted({4, 3, 2}, options, {0, 0, 2}, {2, 2, 1}) == std::vector<float>{4, 2.5F, 1}));
}

BOOST_AUTO_TEST_CASE(a_presence_penalty_asks_whether_it_is_in_the_answer) {
  SamplerOptions options;
  options.presence_penalty = 1.5F;
  BOOST_TEST(
      (shifted({4, 3, 2}, options, {0, 0, 2}, {2, 2, 1}) == std::vector<float>{4, 1.5F, 0.5F}));
}

BOOST_AUTO_TEST_CASE(a_bias_is_added_whatever_the_text_is) {
  BOOST_TEST((shifted({4, 3, 2}, with_biases({{0, -10}, {2, 2.5F}}), {1}, {2}) ==
              std::vector<float>{-6, 3, 4.5F}));
  // A bias of a token that the model lacks is for none.
  BOOST_TEST((shifted({4, 3}, with_biases({{1, 1}, {2, 1}, {1000, 1}}), {}, {}) ==
              std::vector<float>{4, 4}));
}

BOOST_AUTO_TEST_CASE(all_at_once_in_the_order_that_is_promised) {
  SamplerOptions options;
  options.repetition_penalty = 2;
  options.frequency_penalty = 0.25F;
  options.presence_penalty = 0.5F;
  options.logit_bias = {{1, 8}, {2, 16}, {3, 32}};
  // Token 0: twice in the answer. 1: in the prompt, and biased. 2: in both, and biased. 3: biased.
  BOOST_TEST(
      (shifted({4, 2, -3, 1, 7}, options, {1, 2}, {0, 2, 0}) ==
       std::vector<float>{4 / 2 - 0.5F - 0.5F, 2 / 2 + 8, -3 * 2 - 0.25F - 0.5F + 16, 33, 7}));
}

BOOST_AUTO_TEST_CASE(without_options_nothing_is_counted_and_nothing_changes) {
  Penalties none(SamplerOptions{.temperature = 1, .top_k = 3, .seed = 4}, 2);
  BOOST_TEST(!none.any());
  none.append(Tokens{1, 2, 3});
  BOOST_TEST(none.size() == 3U);
  std::vector<float> logits{-0.0F, 1, not_a_number, infinity};
  const auto before = logits;
  none.apply(logits, Tokens{0, 1});
  BOOST_TEST(same_bits(logits, before));
  BOOST_TEST(Penalties(all_penalties(), 0).any());
}

BOOST_AUTO_TEST_CASE(the_bits_do_not_depend_on_how_the_text_is_told) {
  const auto logits = random_logits(40, 3);
  std::mt19937 random(5);
  Tokens prompt(12);
  Tokens answer(30);
  for (Token& token : prompt)
    token = static_cast<Token>(random() % 40);
  for (Token& token : answer)
    token = static_cast<Token>(random() % 40);
  const auto expected = shifted(logits, all_penalties(), prompt, answer);
  BOOST_TEST(!same_bits(expected, logits));
  // Also where the path begins in the prompt, or is the whole text.
  for (std::size_t apart = 0; apart <= prompt.size() + answer.size(); ++apart)
    BOOST_REQUIRE(same_bits(shifted(logits, all_penalties(), prompt, answer, apart), expected));
  Penalties bit_by_bit(all_penalties(), 12);
  Tokens text = prompt;
  bit_by_bit.follow(text);
  for (const Token token : answer) {
    text.push_back(token);
    bit_by_bit.follow(text);
  }
  auto told = logits;
  bit_by_bit.apply(told, {});
  BOOST_TEST(same_bits(told, expected));
}

BOOST_AUTO_TEST_CASE(what_is_too_large_stays_finite_and_what_is_broken_stays_broken) {
  SamplerOptions options;
  options.repetition_penalty = 1e-30F;
  BOOST_TEST((shifted({3e38F, 1}, options, {0}, {}) ==
              std::vector<float>{std::numeric_limits<float>::max(), 1}));
  options.repetition_penalty = 1e30F;
  BOOST_TEST((shifted({-3e38F, 1}, options, {0}, {}) ==
              std::vector<float>{std::numeric_limits<float>::lowest(), 1}));
  auto broken = shifted({not_a_number, infinity, -infinity}, all_penalties(), {0, 1, 2}, {0, 1, 2});
  BOOST_TEST(std::isnan(broken[0]));
  BOOST_TEST(broken[1] == infinity);
  BOOST_TEST(broken[2] == -infinity);
  const TextSampler sampler(all_penalties(), 0);
  BOOST_CHECK_THROW(sampler.choose(broken, {}, 3), ModelError);
}

BOOST_AUTO_TEST_CASE(greedy_and_sampled_choices_are_made_from_the_shifted_logits) {
  for (const float temperature : {0.0F, 0.8F})
    for (Position position = 3; position < 200; ++position) {
      SamplerOptions options = all_penalties();
      options.temperature = temperature;
      options.top_p = 0.9F;
      options.seed = 8;
      auto logits = random_logits(30, position, 1);
      const auto expected = sample(shifted(logits, options, {1, 2}, {3, 4, 3}), options, position);
      TextSampler sampler(options, 2);
      sampler.follow(Tokens{1, 2, 3});
      BOOST_REQUIRE_EQUAL(sampler.choose(logits, Tokens{4, 3}, position).token, expected);
    }
}

BOOST_AUTO_TEST_CASE(a_banned_token_is_never_chosen_and_a_forced_one_always) {
  SamplerOptions options = with_biases({{1, -1000}});
  options.temperature = 1;
  SamplerOptions forced = with_biases({{2, 1000}});
  forced.temperature = 1;
  for (Position position = 0; position < 300; ++position) {
    std::vector<float> logits{0, 3, -1};
    BOOST_REQUIRE(TextSampler(options, 0).choose(logits, {}, position).token != 1);
    logits = {0, 3, -1};
    BOOST_REQUIRE_EQUAL(TextSampler(forced, 0).choose(logits, {}, position).token, 2);
  }
}

BOOST_AUTO_TEST_CASE(log_probabilities_are_those_of_the_models_own_logits) {
  const auto logits = random_logits(1000, 6);
  long double sum = 0;
  for (const float logit : logits)
    sum += std::exp(static_cast<long double>(logit));
  const auto expected = [&](Token token) {
    return static_cast<double>(logits[static_cast<std::size_t>(token)] - std::log(sum));
  };
  const auto order = ranking(logits);
  SamplerOptions penalised = all_penalties();
  penalised.temperature = 0.5F;
  penalised.top_k = 3;
  penalised.logit_bias = {{order[0], -1000}, {order[7], 50}};
  for (SamplerOptions options : {SamplerOptions{}, penalised})
    for (const std::uint32_t count : {1U, 2U, 5U, 64U}) {
      options.logprobs = count;
      auto given = logits;
      const Choice choice = TextSampler(options, 0).choose(given, Tokens{3, order[7]}, 2);
      BOOST_TEST(choice.token == order[options == penalised || options.top_k == 3 ? 7 : 0]);
      BOOST_TEST(std::abs(choice.logprob - expected(choice.token)) < 1e-5);
      BOOST_REQUIRE_EQUAL(choice.top.size(), count - 1);
      for (std::size_t i = 0; i < choice.top.size(); ++i) {
        BOOST_TEST(choice.top[i].token == order[i]);
        BOOST_TEST(std::abs(choice.top[i].logprob - expected(order[i])) < 1e-5);
      }
    }
}

BOOST_AUTO_TEST_CASE(log_probabilities_at_the_extremes) {
  SamplerOptions options;
  options.logprobs = 4;
  std::vector<float> certain{3e38F, 0, -3e38F};
  auto choice = TextSampler(options, 0).choose(certain, {}, 0);
  BOOST_TEST(choice.token == 0);
  BOOST_TEST(choice.logprob == 0);
  BOOST_TEST(choice.top.size() == 3U);
  BOOST_TEST(choice.top[2].logprob < -3e38F);
  BOOST_TEST(std::isfinite(choice.top[2].logprob));
  std::vector<float> equal(4, 7);
  choice = TextSampler(options, 0).choose(equal, {}, 0);
  BOOST_TEST(std::abs(choice.logprob - std::log(0.25)) < 1e-6);
  // Whoever wants none gets none, and the same token.
  choice = TextSampler({}, 0).choose(equal, {}, 0);
  BOOST_TEST((choice == Choice{}));
}

BOOST_AUTO_TEST_CASE(a_draft_that_is_told_of_the_penalties_guesses_what_the_target_chooses) {
  SamplerOptions options = all_penalties();
  options.temperature = 1;
  options.seed = 3;
  Penalties told(options, 2);
  const Tokens text{1, 2, 3};
  const Tokens path{3, 7};
  told.append(text);
  for (Position position = 0; position < 50; ++position) {
    auto logits = random_logits(20, position, 1);
    Candidate best;
    best_candidates(logits, 1,
                    {.sampling = options, .position = position, .penalties = &told, .path = path},
                    {&best, 1});
    TextSampler sampler(options, 2);
    sampler.follow(text);
    BOOST_REQUIRE_EQUAL(best.token, sampler.choose(logits, path, position).token);
  }
}

BOOST_AUTO_TEST_CASE(problems_of_penalties_are_named) {
  SamplerOptions fine = all_penalties();
  fine.frequency_penalty = 100;
  fine.presence_penalty = -100;
  fine.logprobs = 64;
  BOOST_TEST(!find_problem(fine));
  BOOST_TEST(!find_problem(fine, 6));
  BOOST_TEST(names(find_problem(fine, 5), "token 5"));
  for (const float wrong : {0.0F, -1.0F, not_a_number, infinity}) {
    SamplerOptions options;
    options.repetition_penalty = wrong;
    BOOST_TEST(names(find_problem(options), "repetition penalty"));
  }
  for (const float wrong : {100.5F, -101.0F, not_a_number, infinity}) {
    SamplerOptions options;
    options.frequency_penalty = wrong;
    BOOST_TEST(names(find_problem(options), "frequency penalty"));
    options = {};
    options.presence_penalty = wrong;
    BOOST_TEST(names(find_problem(options), "presence penalty"));
  }
  BOOST_TEST(names(find_problem(with_biases({{-1, 1}})), "token -1"));
  BOOST_TEST(names(find_problem(with_biases({{3, 1}, {3, 2}})), "twice"));
  BOOST_TEST(names(find_problem(with_biases({{3, 1}, {2, 2}})), "rising"));
  BOOST_TEST(names(find_problem(with_biases({{3, -infinity}})), "-1000"));
  std::vector<TokenBias> many(1025);
  for (Token i = 0; i < 1025; ++i)
    many[static_cast<std::size_t>(i)] = {i, 1};
  BOOST_TEST(names(find_problem(with_biases(many)), "1025"));
  many.pop_back();
  BOOST_TEST(!find_problem(with_biases(many)));
  SamplerOptions options;
  options.logprobs = 65;
  BOOST_TEST(names(find_problem(options), "65"));
}

BOOST_AUTO_TEST_SUITE_END()
