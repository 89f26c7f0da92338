/// What the drafter asks of a draft model that reads the target's features, and what the modes
/// send, without actors.
#include "actors/policy/drafter.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include "actors/policy/modes/modes.hpp"

namespace flowspec::test {
namespace {

constexpr float exact = 1000;

/// A draft whose features tell what they belong to: the target's feature of position p is
/// `exact + p`, the draft's own guess is p. It remembers what it was asked.
class FeatureReader : public DraftModel {
 public:
  struct Asked {
    Position position;
    Token token;
    float feature;
  };

  explicit FeatureReader(std::vector<Asked>& asked) : asked_(asked) {}

  std::uint32_t feature_size() const override { return 2; }
  KvCache make_cache(std::uint32_t) const override { return {}; }
  std::uint32_t max_rows() const override { return 64; }
  void forward(std::span<const DraftRow> rows, std::span<const float> features_in,
               std::uint32_t top_k, std::span<Candidate> candidates,
               std::span<float> features_out) override {
    BOOST_REQUIRE(features_in.size() == 2 * rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto position = rows[i].context.position;
      asked_.push_back({position, rows[i].token, features_in[2 * i]});
      features_out[2 * i] = static_cast<float>(position);
      // Token t is followed by 10 t + 1, 10 t + 2, ...: the name of a token is its path.
      for (std::uint32_t k = 0; k < top_k; ++k)
        candidates[i * top_k + k] = {rows[i].token * 10 + static_cast<Token>(k) + 1,
                                     -0.5F - static_cast<float>(k)};
    }
  }

 private:
  std::vector<Asked>& asked_;
};

struct Fixture {
  explicit Fixture(DraftPolicy policy) {
    policy.top_k = std::min(policy.top_k, 2U);
    drafter = std::make_unique<Drafter>(policy, std::make_unique<FeatureReader>(asked));
    Open open;
    open.session = 1;
    open.root = 1;
    open.prompt = {1, 2, 3};
    open.position_limit = 100;
    drafter->open(open);
  }

  std::vector<Row> send() { return drafter->take_segment().rows; }

  /// The target's features of rows that have come to the verifier.
  void learn(const std::vector<Row>& rows) {
    Features features;
    features.session = 1;
    std::vector<float> values;
    for (const Row& row : rows) {
      features.nodes.push_back(row.id);
      values.push_back(exact + static_cast<float>(row.position));
      values.push_back(0);
    }
    features.hidden = {static_cast<std::uint32_t>(rows.size()), 2, values, nullptr};
    BOOST_TEST(drafter->learn(features).value_or("") == "");
  }

  /// Commits these nodes; the new root is the node of that id, or a fresh one.
  void reroot(std::vector<TreeNodeId> path, TreeNodeId root, Token token, Position position) {
    if (root == no_node)
      root = first_fresh_node + position;
    Prune prune{1, ++version, path, {1, root, path.back(), token, position}};
    BOOST_TEST(drafter->reroot(prune).value_or("") == "");
    BOOST_TEST(drafter->broken_invariant().value_or("") == "");
  }

  /// One draft forward: what it was asked, as "position:token:feature".
  std::vector<std::string> draft() {
    asked.clear();
    BOOST_TEST(drafter->begin() > 0);
    drafter->finish();
    BOOST_TEST(drafter->broken_invariant().value_or("") == "");
    std::vector<std::string> texts;
    for (const auto& row : asked)
      texts.push_back(fmt::format("{}:{}:{}", row.position, row.token, row.feature));
    return texts;
  }

  /// The prompt has come back, and token 4 follows it.
  void prompt_back() {
    auto prompt = send();
    BOOST_REQUIRE(prompt.size() == 3);
    learn(prompt);
    reroot({1, 2, 3}, no_node, 4, 3);
  }

  std::vector<FeatureReader::Asked> asked;
  std::unique_ptr<Drafter> drafter;
  TreeVersion version = 0;
};

using Texts = std::vector<std::string>;

struct Flowspec : Fixture {
  Flowspec() : Fixture(*mode_policy("flowspec", 4)) {}
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(rows_of_the_prompt_and_the_root_read_the_targets_features, Flowspec) {
  prompt_back();
  Texts expected{"0:1:0", "1:2:1000", "2:3:1001", "3:4:1002"};
  BOOST_TEST(draft() == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(nothing_is_drafted_before_the_features_have_come, Flowspec) {
  auto prompt = send();
  reroot({1, 2, 3}, no_node, 4, 3);
  // The text's first token needs no feature.
  BOOST_TEST(draft() == Texts{"0:1:0"}, boost::test_tools::per_element());
  BOOST_TEST(!drafter->can_draft());
  learn(prompt);
  Texts expected{"1:2:1000", "2:3:1001", "3:4:1002"};
  BOOST_TEST(draft() == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_conversation_computes_only_what_is_new, Flowspec) {
  prompt_back();
  draft();  // the rows of 1, 2, 3 and the root
  drafter->close(1, true);
  Open open;
  open.session = 1;
  open.root = 1;
  open.prompt = {1, 2, 3, 7, 8};
  open.position_limit = 100;
  open.prefix_session = 1;
  open.cached_tokens = 3;
  drafter->open(open);
  version = 0;
  auto rows = send();
  BOOST_REQUIRE(rows.size() == 2);
  BOOST_TEST(rows[0].token == 7);
  BOOST_TEST(rows[0].position == 3);
  learn(rows);
  reroot({1, 2}, no_node, 9, 5);
  Texts expected{"3:7:1002", "4:8:1003", "5:9:1004"};
  BOOST_TEST(draft() == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(features_that_nobody_knows_any_more_do_not_stop_the_draft, Flowspec) {
  prompt_back();
  draft();
  auto root = send().front();
  learn({root});
  // The feature of token 1 goes, since the row that read it has been computed.
  reroot({root.id}, no_node, 5, 4);
  drafter->close(1, true);
  Open open;
  open.session = 1;
  open.root = 1;
  open.prompt = {1, 6};
  open.position_limit = 100;
  open.prefix_session = 1;
  open.cached_tokens = 1;
  drafter->open(open);
  version = 0;
  auto rows = send();
  learn(rows);
  reroot({1}, no_node, 9, 2);
  Texts expected{"1:6:0", "2:9:1001"};
  BOOST_TEST(draft() == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(below_the_root_rows_read_the_drafts_own_guesses, Flowspec) {
  prompt_back();
  draft();
  Texts expected{"4:41:3", "4:42:3"};
  BOOST_TEST(draft() == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(accepted_tokens_are_computed_again_from_the_targets_features, Flowspec) {
  prompt_back();
  draft();
  draft();
  auto rows = send();
  BOOST_REQUIRE(rows.size() > 3);
  BOOST_TEST(rows[0].token == 4);
  BOOST_TEST(rows[1].token == 41);
  learn({rows[0], rows[1]});
  // 4 and 41 are right, 411 follows them and has been sent.
  auto child = std::find_if(rows.begin(), rows.end(), [](auto& row) { return row.token == 411; });
  BOOST_REQUIRE((child != rows.end()));
  reroot({rows[0].id, rows[1].id}, child->id, 411, 5);
  BOOST_TEST(drafter->foresight().asked == 2U);
  BOOST_TEST(drafter->foresight().right == 2U);
  auto texts = draft();
  // The row of 4 was exact, the one of 41 was not; the root was never expanded.
  BOOST_TEST(texts.front() == "4:41:1003");
  BOOST_TEST(texts.at(1) == "5:411:1004");
}

BOOST_FIXTURE_TEST_CASE(a_node_expanded_far_below_the_root_is_expanded_again_near_it, Flowspec) {
  prompt_back();
  for (int i = 0; i < 3; ++i)
    draft();
  auto rows = send();
  learn({rows[0]});
  auto child = std::find_if(rows.begin(), rows.end(), [](auto& row) { return row.token == 41; });
  reroot({rows[0].id}, child->id, 41, 4);
  Texts all;
  for (int i = 0; i < 4; ++i)
    for (auto& text : draft())
      all.push_back(text);
  BOOST_TEST((std::find(all.begin(), all.end(), "4:41:1003") != all.end()));
}

BOOST_FIXTURE_TEST_CASE(roots_may_move_while_a_forward_is_under_way, Flowspec) {
  prompt_back();
  draft();
  auto rows = send();
  BOOST_REQUIRE(rows.size() == 3);
  BOOST_TEST(drafter->begin() == 2);  // 41 and 42
  BOOST_TEST(!drafter->can_draft());
  learn({rows[0]});
  reroot({rows[0].id}, rows[2].id, 42, 4);
  drafter->finish();
  BOOST_TEST(drafter->broken_invariant().value_or("") == "");
  // What was found below 42 is kept, what was found below 41 is not.
  std::vector<Token> tokens;
  for (const Row& row : send())
    tokens.push_back(row.token);
  BOOST_TEST(tokens == (std::vector<Token>{421, 422}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_session_may_end_while_a_forward_is_under_way, Flowspec) {
  prompt_back();
  BOOST_TEST(drafter->begin() > 0);
  drafter->close(1);
  drafter->finish();
  BOOST_TEST(!drafter->can_draft());
  BOOST_TEST(send().empty());
}

BOOST_FIXTURE_TEST_CASE(features_of_another_size_end_the_session, Flowspec) {
  auto prompt = send();
  std::vector<float> values(9);
  Features features;
  features.session = 1;
  features.nodes = {1, 2, 3};
  features.hidden = {3, 3, values, nullptr};
  BOOST_TEST(drafter->learn(features).value_or("").find("3 x 3, expected 3 x 2") !=
             std::string::npos);
  BOOST_TEST(!drafter->can_draft());
}

BOOST_AUTO_TEST_CASE(chunk_pp_sends_a_tree_in_levels_and_chunks_and_has_it_verified_as_a_whole) {
  auto policy = *mode_policy("chunk-pp", 2);
  policy.tree_nodes = 8;
  policy.max_depth = 3;
  Fixture world{policy};
  world.prompt_back();
  BOOST_TEST(world.send().empty());  // not before the tree is complete
  for (int level = 0; level < 3; ++level)
    world.draft();
  BOOST_TEST(!world.drafter->can_draft());
  // 9 nodes in 3 chunks.
  std::vector<Position> positions;
  for (int chunk = 0; chunk < 3; ++chunk) {
    auto segment = world.drafter->take_segment();
    BOOST_TEST(segment.rows.size() == 3);
    BOOST_TEST(segment.awaits_more == (chunk < 2));
    for (const Row& row : segment.rows)
      positions.push_back(row.position);
  }
  BOOST_TEST(std::is_sorted(positions.begin(), positions.end()));
  BOOST_TEST(world.send().empty());
}

BOOST_AUTO_TEST_CASE(a_beam_begins_at_the_root_when_the_draft_has_caught_up_with_the_text) {
  Fixture world(*mode_policy("chunk-pp", 2));
  auto prompt = world.send();
  world.reroot({1, 2, 3}, no_node, 4, 3);
  // Features are on their way: this forward has a row of the prompt and none of the tree.
  BOOST_TEST(world.draft() == Texts{"0:1:0"}, boost::test_tools::per_element());
  world.learn(prompt);
  Texts expected{"1:2:1000", "2:3:1001", "3:4:1002"};
  BOOST_TEST(world.draft() == expected, boost::test_tools::per_element());
  BOOST_TEST(world.draft().size() == 2U);
}

BOOST_AUTO_TEST_CASE(pruned_pp_sends_the_same_tree_in_score_order_and_does_not_grow_it) {
  auto policy = *mode_policy("pruned-pp", 2);
  policy.tree_nodes = 8;
  policy.max_depth = 3;
  Fixture world{policy};
  world.prompt_back();
  for (int level = 0; level < 3; ++level)
    world.draft();
  auto first = world.drafter->take_segment();
  BOOST_TEST(!first.awaits_more);
  std::vector<Token> tokens;
  for (const Row& row : first.rows)
    tokens.push_back(row.token);
  BOOST_TEST(tokens == (std::vector<Token>{4, 41, 411}), boost::test_tools::per_element());
  world.learn(first.rows);
  // A hit: the rest of the tree goes on, and nothing is drafted.
  auto second = world.drafter->take_segment().rows;
  auto hit = std::find_if(second.begin(), second.end(), [](auto& row) { return row.token == 42; });
  BOOST_REQUIRE((hit != second.end()));
  world.reroot({first.rows[0].id}, hit->id, 42, 4);
  BOOST_TEST(!world.drafter->can_draft());
  // A miss: a new tree.
  world.learn({*hit});
  world.reroot({hit->id}, no_node, 7, 5);
  BOOST_TEST(world.drafter->can_draft());
}

BOOST_AUTO_TEST_CASE(pipedec_sends_the_root_alone_and_then_a_level_at_a_time) {
  auto policy = *mode_policy("pipedec", 3);
  policy.draft_width = 3;
  Fixture world{policy};
  world.prompt_back();
  BOOST_TEST(world.send().size() == 1);
  std::size_t width = 2;
  for (Position position = 4; position < 7; ++position) {
    world.draft();
    auto rows = world.send();
    BOOST_TEST(rows.size() == width);
    for (const Row& row : rows)
      BOOST_TEST(row.position == position);
    width = 3;
  }
  // As many levels as stages are below the root.
  BOOST_TEST(!world.drafter->can_draft());
}

namespace {

std::vector<Token> tokens_of(const std::vector<Row>& rows) {
  std::vector<Token> tokens;
  for (const Row& row : rows)
    tokens.push_back(row.token);
  return tokens;
}

void check_tokens(const std::vector<Row>& rows, const std::vector<Token>& expected) {
  BOOST_TEST(tokens_of(rows) == expected, boost::test_tools::per_element());
}

DraftPolicy policy_of_chain(std::string_view mode, double min_expand_probability = 0) {
  auto policy = *mode_policy(mode, 2);
  policy.max_depth = 4;
  policy.min_expand_probability = min_expand_probability;
  policy.min_drafts_before_send = 2;
  return policy;
}

}  // namespace

BOOST_AUTO_TEST_CASE(chain_sends_the_best_guess_of_every_level_as_one_segment) {
  Fixture world(policy_of_chain("chain"));
  world.prompt_back();
  for (int level = 0; level < 4; ++level) {
    BOOST_TEST(world.send().empty());  // not before the chain has its length
    world.draft();
  }
  BOOST_TEST(!world.drafter->can_draft());
  auto chain = world.send();
  check_tokens(chain, {4, 41, 411, 4111, 41111});
  // Nothing is drafted or sent until the round is back.
  BOOST_TEST(!world.drafter->can_draft());
  BOOST_TEST(world.send().empty());
  // Two guesses are right, then another token comes: a new chain.
  world.learn({chain[0], chain[1], chain[2]});
  world.reroot({chain[0].id, chain[1].id, chain[2].id}, no_node, 7, 6);
  BOOST_TEST(world.draft() == (Texts{"4:41:1003", "5:411:1004", "6:7:1005"}),
             boost::test_tools::per_element());
  BOOST_TEST(world.draft() == Texts{"7:71:6"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_chain_ends_with_the_first_guess_that_is_not_likely_to_be_reached) {
  // Each guess has the probability exp(-0.5) = 0.61, two in a row 0.37.
  for (const char* mode : {"chain", "chain-pp"}) {
    Fixture world(policy_of_chain(mode, 0.5));
    world.prompt_back();
    world.draft();
    world.draft();
    BOOST_TEST(!world.drafter->can_draft());
    check_tokens(world.send(), {4, 41, 411});
  }
}

BOOST_AUTO_TEST_CASE(a_guess_that_became_the_root_is_certain) {
  Fixture world(policy_of_chain("chain-pp", 0.62));
  world.prompt_back();
  world.draft();
  auto rows = world.send();
  world.learn({rows[0]});
  world.reroot({rows[0].id}, rows[1].id, 41, 4);
  BOOST_TEST(world.draft() == Texts{"4:41:1003"}, boost::test_tools::per_element());
  check_tokens(world.send(), {411});
}

BOOST_AUTO_TEST_CASE(chain_pp_goes_on_below_what_is_in_flight) {
  Fixture world(policy_of_chain("chain-pp"));
  world.prompt_back();
  world.draft();
  BOOST_TEST(world.send().empty());  // a new root takes two guesses along
  world.draft();
  auto first = world.send();
  check_tokens(first, {4, 41, 411});
  world.draft();
  check_tokens(world.send(), {4111});  // then a segment leaves with what there is
  world.draft();
  check_tokens(world.send(), {41111});
  BOOST_TEST(!world.drafter->can_draft());  // four levels below the root
  // The root moves down, and the chain goes on at its end.
  world.learn({first[0], first[1]});
  world.reroot({first[0].id, first[1].id}, first[2].id, 411, 5);
  world.draft();
  check_tokens(world.send(), {411111});
  // Another token: the rest is stale, a new chain begins.
  world.learn({first[2]});
  world.reroot({first[2].id}, no_node, 7, 6);
  BOOST_TEST(world.send().empty());
  world.draft();
  world.draft();
  check_tokens(world.send(), {7, 71, 711});
}

BOOST_AUTO_TEST_CASE(chain_pp_keeps_what_it_guessed_below_a_token_that_it_did_not_send_yet) {
  auto policy = policy_of_chain("chain-pp");
  policy.segment_rows = 3;
  Fixture world(policy);
  world.prompt_back();
  for (int i = 0; i < 4; ++i)
    world.draft();
  auto first = world.send();
  check_tokens(first, {4, 41, 411});
  world.learn(first);
  world.reroot({first[0].id, first[1].id, first[2].id}, no_node, 4111, 6);
  // One guess is there; the chain wants two.
  BOOST_TEST(world.send().empty());
  world.draft();
  check_tokens(world.send(), {4111, 41111, 411111});
}

}  // namespace flowspec::test
