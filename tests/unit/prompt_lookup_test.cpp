/// Look-up of n-grams in the context.

#include "models/drafts/prompt_lookup.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include <boost/test/unit_test.hpp>

#include "models/drafts/prompt_lookup_draft.hpp"

using namespace flowspec;

namespace {

using Tokens = std::vector<Token>;

std::vector<Candidate> propose(const Tokens& prefix, const Tokens& tail = {},
                               const PromptLookupOptions& options = {}) {
  std::vector<Candidate> out{{7, 7}};  // must be replaced
  PromptLookup(options).propose(prefix, tail, out);
  return out;
}

Tokens tokens_of(const std::vector<Candidate>& candidates) {
  Tokens tokens;
  for (const Candidate& candidate : candidates)
    tokens.push_back(candidate.token);
  return tokens;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(prompt_lookup)

BOOST_AUTO_TEST_CASE(nothing_repeats) {
  BOOST_TEST(propose({}).empty());
  BOOST_TEST(propose({1}).empty());
  BOOST_TEST(propose({1, 2, 3, 4}).empty());
  BOOST_TEST(propose({1, 2, 1, 2}, {}, {.min_ngram = 3}).empty());
}

BOOST_AUTO_TEST_CASE(what_followed_the_longest_n_gram_comes_first) {
  // 3 was followed by 4 and 9, "1 2 3" by 9 alone; 9 had better win, though 4 is more frequent.
  const Tokens history{3, 4, 3, 4, 1, 2, 3, 9, 5, 1, 2, 3};
  BOOST_TEST(tokens_of(propose(history)) == (Tokens{9, 4}));
}

BOOST_AUTO_TEST_CASE(frequent_first_then_recent) {
  const PromptLookupOptions bigrams{.max_ngram = 2, .min_ngram = 2};
  BOOST_TEST(tokens_of(propose({1, 2, 5, 1, 2, 5, 1, 2, 6, 1, 2}, {}, bigrams)) == (Tokens{5, 6}));
  BOOST_TEST(tokens_of(propose({1, 2, 5, 1, 2, 6, 1, 2}, {}, bigrams)) == (Tokens{6, 5}));
}

BOOST_AUTO_TEST_CASE(scores_are_those_of_the_formula) {
  // Unigram 2: followed by 5 twice, 6 once (T = 3, D = 2, s = 1); bigram "1 2": by 5 once (T = D =
  // 1).
  const auto found = propose({1, 2, 5, 3, 2, 5, 2, 6, 1, 2}, {}, {.max_ngram = 2});
  BOOST_TEST(tokens_of(found) == (Tokens{5, 6}));
  const double p5 = 2.0 / 6;
  const double p6 = 1.0 / 6;
  BOOST_TEST(std::abs(found[0].log_prob - std::log((1 + p5) / 2)) < 1e-6);
  BOOST_TEST(std::abs(found[1].log_prob - std::log(p6 / 2)) < 1e-6);
}

BOOST_AUTO_TEST_CASE(probabilities_never_exceed_one) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    Tokens history(1 + random() % 200);
    std::ranges::generate(history, [&] { return static_cast<Token>(random() % (2 + round % 9)); });
    const auto found = propose(history, {}, {.max_candidates = 100});
    double sum = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      sum += std::exp(found[i].log_prob);
      BOOST_REQUIRE(i == 0 || found[i].log_prob <= found[i - 1].log_prob);
    }
    BOOST_REQUIRE(sum < 1);
  }
}

BOOST_AUTO_TEST_CASE(the_cut_between_prefix_and_tail_does_not_matter) {
  const Tokens history{4, 1, 2, 3, 8, 1, 2, 3, 9, 7, 1, 2, 3};
  const auto expected = propose(history);
  BOOST_REQUIRE(!expected.empty());
  for (std::size_t cut = 0; cut <= history.size(); ++cut) {
    const auto middle = history.begin() + static_cast<std::ptrdiff_t>(cut);
    const Tokens prefix(history.begin(), middle);
    const Tokens tail(middle, history.end());
    BOOST_TEST((propose(prefix, tail) == expected));
  }
}

BOOST_AUTO_TEST_CASE(limits_hold) {
  const Tokens history{1, 2, 1, 3, 1, 4, 1, 5, 1};
  BOOST_TEST(tokens_of(propose(history)) == (Tokens{5, 4, 3, 2}));
  BOOST_TEST(tokens_of(propose(history, {}, {.max_candidates = 2})) == (Tokens{5, 4}));
  BOOST_TEST(tokens_of(propose(history, {}, {.max_history = 3})) == (Tokens{5}));
  BOOST_TEST(propose(history, {}, {.max_history = 0}).empty());
  BOOST_TEST(!propose(history, {}, {.max_ngram = 1000, .min_ngram = 0}).empty());
  BOOST_TEST(!propose(history, {}, {.max_ngram = 0, .min_ngram = 9}).empty());
}

BOOST_AUTO_TEST_CASE(a_draft_model_pads_its_rows) {
  PromptLookupDraft draft;
  BOOST_TEST(draft.feature_size() == 0U);
  const Tokens prefix{1, 2, 1, 3, 1};
  const Tokens tail{2};
  std::array<DraftRow, 2> rows;
  rows[0].prefix_tokens = prefix;
  rows[1].prefix_tokens = prefix;
  rows[1].tail_tokens = tail;
  std::array<Candidate, 6> out{};
  draft.forward(rows, {}, 3, out, {});
  BOOST_TEST(out[0].token == 3);
  BOOST_TEST(out[1].token == 2);
  BOOST_TEST(out[2].token == -1);
  BOOST_TEST(out[3].token == 1);
  BOOST_TEST(out[4].token == -1);
}

BOOST_AUTO_TEST_SUITE_END()
