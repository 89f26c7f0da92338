/// Prompt look-up beside a draft: blended guesses, and a weight that is learnt.

#include "actors/policy/lookup_beside.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <boost/test/unit_test.hpp>

using namespace flowspec;

namespace {

using Tokens = std::vector<Token>;

/// What a draft proposes: these tokens with these probabilities, best first.
std::vector<Candidate> proposed(const std::vector<std::pair<Token, double>>& guesses) {
  std::vector<Candidate> candidates;
  for (const auto& [token, probability] : guesses)
    candidates.push_back({token, static_cast<float>(std::log(probability)),
                          static_cast<float>(std::log(probability))});
  return candidates;
}

std::vector<Candidate> blended(LookupBeside& lookup, const Tokens& text,
                               std::vector<Candidate> candidates, Guess guess = {}) {
  DraftRow row;
  row.tail_tokens = text;
  row.guess = guess;
  lookup.blend(row, candidates);
  return candidates;
}

double probability_of(const std::vector<Candidate>& candidates, Token token) {
  const auto found = std::ranges::find(candidates, token, &Candidate::token);
  return found == candidates.end() ? 0 : std::exp(found->log_prob);
}

/// After 1 2 3 came 4, and now 1 2 3 again.
const Tokens repeating{9, 1, 2, 3, 4, 8, 1, 2, 3};
const Tokens fresh{1, 2, 3, 4, 5};

}  // namespace

BOOST_AUTO_TEST_SUITE(lookup_beside)

BOOST_AUTO_TEST_CASE(where_nothing_repeats_the_draft_guesses_alone) {
  LookupBeside lookup;
  const auto guesses = proposed({{7, 0.5}, {8, 0.2}});
  const auto after = blended(lookup, fresh, guesses);
  for (std::size_t i = 0; i < guesses.size(); ++i) {
    BOOST_TEST(after[i].token == guesses[i].token);
    BOOST_TEST(after[i].log_prob == guesses[i].log_prob);
    BOOST_TEST(after[i].by_draft == guesses[i].log_prob);
    BOOST_TEST(after[i].by_lookup == 0);
  }
}

BOOST_AUTO_TEST_CASE(probabilities_are_those_of_both_by_weight) {
  LookupBeside lookup;
  const auto after = blended(lookup, repeating, proposed({{7, 0.5}, {4, 0.2}}));
  const auto four = std::ranges::find(after, 4, &Candidate::token);
  BOOST_REQUIRE(four != after.end());
  const double w = lookup.weight(four->by_lookup);
  BOOST_TEST(four->by_lookup > 0.4);
  BOOST_TEST(probability_of(after, 7) == (1 - w) * 0.5, boost::test_tools::tolerance(1e-5));
  BOOST_TEST(probability_of(after, 4) == (1 - w) * 0.2 + w * four->by_lookup,
             boost::test_tools::tolerance(1e-5));
}

BOOST_AUTO_TEST_CASE(what_look_up_guesses_best_is_always_proposed) {
  LookupBeside lookup;
  const auto after = blended(lookup, repeating, proposed({{7, 0.6}, {8, 0.3}}));
  BOOST_TEST(after.size() == 2U);
  BOOST_TEST(after[0].token == 7);
  BOOST_TEST(after[1].token == 4);
}

BOOST_AUTO_TEST_CASE(a_draft_with_few_guesses_leaves_room_for_those_of_look_up) {
  LookupBeside lookup;
  auto guesses = proposed({{7, 0.6}});
  guesses.push_back({-1, 0});
  guesses.push_back({-1, 0});
  const auto after = blended(lookup, repeating, guesses);
  BOOST_TEST(after[0].token == 7);
  BOOST_TEST(after[1].token == 4);
  BOOST_TEST(after[2].token == -1);
}

BOOST_AUTO_TEST_CASE(a_text_that_repeats_itself_is_soon_guessed_from_itself) {
  LookupBeside lookup;
  for (int i = 0; i < 100; ++i)
    lookup.learn(blended(lookup, repeating, proposed({{7, 0.6}, {8, 0.2}, {6, 0.1}})), 4);
  const auto after = blended(lookup, repeating, proposed({{7, 0.6}, {8, 0.2}, {6, 0.1}}));
  BOOST_TEST(after[0].token == 4);
}

BOOST_AUTO_TEST_CASE(a_text_that_does_not_costs_the_drafts_guesses_nearly_nothing) {
  LookupBeside lookup;
  for (int i = 0; i < 100; ++i)
    lookup.learn(blended(lookup, repeating, proposed({{7, 0.6}, {8, 0.2}, {6, 0.1}})), 7);
  const auto after = blended(lookup, repeating, proposed({{7, 0.6}, {8, 0.2}, {6, 0.1}}));
  BOOST_TEST(probability_of(after, 7) > 0.59);
}

BOOST_AUTO_TEST_CASE(the_drafts_own_guesses_can_be_told_apart) {
  LookupBeside lookup;
  const auto guesses = proposed({{7, 0.6}, {8, 0.2}, {6, 0.1}});
  for (int i = 0; i < 100; ++i)
    lookup.learn(blended(lookup, repeating, guesses), 4);
  const auto own = LookupBeside::by_draft(blended(lookup, repeating, guesses));
  BOOST_TEST(own.size() == 2U);  // that of look-up took the place of the third
  BOOST_TEST(own[0].token == 7);
  BOOST_TEST(own[0].log_prob == guesses[0].log_prob);
  BOOST_TEST(own[1].token == 8);
}

BOOST_AUTO_TEST_CASE(a_choice_that_neither_guessed_teaches_nothing) {
  LookupBeside lookup;
  const auto guesses = blended(lookup, repeating, proposed({{7, 0.6}, {8, 0.2}, {6, 0.1}}));
  const double before = lookup.weight(0.5);
  lookup.learn(guesses, 99);
  lookup.learn({}, 99);
  BOOST_TEST(lookup.weight(0.5) == before);
}

BOOST_AUTO_TEST_CASE(with_known_noise_look_up_guesses_what_will_be_drawn) {
  // 1 was followed by 2 and by 3 alike: which of them is drawn, the noise decides.
  const Tokens both{5, 1, 2, 6, 1, 3, 7, 1};
  LookupBeside lookup;
  std::vector<Token> favourites;
  for (Position position = 0; position < 40; ++position) {
    Guess guess;
    guess.sampling.temperature = 1;
    guess.position = position;
    const auto after = blended(lookup, both, proposed({{2, 0.3}, {3, 0.3}}), guess);
    favourites.push_back(std::ranges::max_element(after, {}, &Candidate::by_lookup)->token);
  }
  BOOST_TEST(std::ranges::count(favourites, 2) > 5);
  BOOST_TEST(std::ranges::count(favourites, 3) > 5);
}

BOOST_AUTO_TEST_SUITE_END()
