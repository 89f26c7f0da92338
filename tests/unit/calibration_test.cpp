/// The scale of a draft's guesses, learnt from what a target chose.

#include "actors/policy/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <boost/test/unit_test.hpp>

using namespace flowspec;

namespace {

float one(float) {
  return 1;
}

/// A draft whose logits are those of the target, less Gumbel noise of a scale; and what the target
/// chooses: the largest of its own.
class NoisyDraft {
 public:
  explicit NoisyDraft(double scale) : gumbel_(0, scale) {}

  struct Turn {
    std::vector<Candidate> proposals;
    Token chosen = 0;
  };

  /// The best ten of 100 tokens, as a draft that guesses with this scale proposes them.
  Turn turn(double guessed_scale) {
    Turn turn;
    std::vector<std::pair<double, Token>> logits;
    double best = -std::numeric_limits<double>::infinity();
    for (Token token = 0; token < 100; ++token) {
      const double logit = normal_(random_);
      logits.emplace_back(logit, token);
      if (const double own = logit + gumbel_(random_); own > best) {
        best = own;
        turn.chosen = token;
      }
    }
    std::ranges::sort(logits, std::greater<>());
    double sum = 0;
    for (const auto& [logit, token] : logits)
      sum += std::exp(logit / guessed_scale);
    for (std::size_t i = 0; i < 10; ++i)
      turn.proposals.push_back(
          {logits[i].second, static_cast<float>(logits[i].first / guessed_scale - std::log(sum))});
    return turn;
  }

 private:
  std::mt19937 random_{7};
  std::normal_distribution<double> normal_{0, 2};
  std::extreme_value_distribution<double> gumbel_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(calibration)

BOOST_AUTO_TEST_CASE(the_scale_of_the_errors_is_found_from_below_and_above) {
  for (const double truth : {0.3, 0.6})
    for (const float first : {0.2F, 2.0F}) {
      NoisyDraft draft(truth);
      Calibration calibration([first](float) { return first; });
      for (int i = 0; i < 600; ++i) {
        const auto turn = draft.turn(calibration.scale(1));
        calibration.learn(1, turn.proposals, turn.chosen);
      }
      double mean = 0;
      for (int i = 0; i < 400; ++i) {
        const auto turn = draft.turn(calibration.scale(1));
        calibration.learn(1, turn.proposals, turn.chosen);
        mean += calibration.scale(1) / 400;
      }
      BOOST_TEST(std::abs(mean / truth - 1) < 0.25);
      BOOST_TEST(calibration.choices() == 1000U);
    }
}

BOOST_AUTO_TEST_CASE(temperatures_of_one_kind_share_a_scale) {
  Calibration calibration(one);
  const std::vector<Candidate> proposals{{1, -0.1F}, {2, -3}};
  for (int i = 0; i < 10; ++i)
    calibration.learn(0.7F, proposals, 1);
  BOOST_TEST(calibration.scale(0.5F) < 1);
  BOOST_TEST(calibration.scale(0.5F) == calibration.scale(0.8F));
  for (const float other : {0.0F, 0.3F, 0.9F, 5.0F})
    BOOST_TEST(calibration.scale(other) == 1);
}

BOOST_AUTO_TEST_CASE(a_choice_that_was_not_proposed_counts_as_the_last) {
  Calibration lost(one);
  Calibration last(one);
  const std::vector<Candidate> proposals{{1, -0.1F}, {2, -3}, {3, -5}};
  lost.learn(1, proposals, 99);
  last.learn(1, proposals, 3);
  BOOST_TEST(lost.scale(1) == last.scale(1));
  BOOST_TEST(lost.scale(1) > 1);
}

BOOST_AUTO_TEST_CASE(what_says_nothing_changes_nothing) {
  Calibration calibration(one);
  calibration.learn(1, {}, 1);
  calibration.learn(1, std::vector<Candidate>{{1, 0}}, 1);
  BOOST_TEST(calibration.scale(1) == 1);
  BOOST_TEST(calibration.choices() == 0U);
}

BOOST_AUTO_TEST_CASE(no_choice_moves_it_far_and_no_sequence_out_of_bounds) {
  Calibration calibration(one);
  const std::vector<Candidate> proposals{{1, -0.0F}, {2, -1e30F}};
  calibration.learn(1, proposals, 2);
  BOOST_TEST(calibration.scale(1) < 1.1F);
  for (int i = 0; i < 10000; ++i)
    calibration.learn(1, proposals, 2);
  BOOST_TEST(calibration.scale(1) <= 20);
  for (int i = 0; i < 1000; ++i)
    calibration.learn(1, std::vector<Candidate>{{1, -0.5F}, {2, -1}}, 1);
  BOOST_TEST(std::isfinite(calibration.scale(1)));
}

BOOST_AUTO_TEST_CASE(it_goes_on_where_it_was_but_not_with_nonsense) {
  Calibration calibration(one);
  calibration.resume({0.5, -1, std::numeric_limits<double>::quiet_NaN(), 1e9});
  BOOST_TEST(calibration.scale(0) == 0.5F);
  for (const float temperature : {0.2F, 0.7F, 1.0F})
    BOOST_TEST(calibration.scale(temperature) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
