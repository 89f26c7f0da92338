/// What the modes send, without actors.
#include "tests/support/drafting.hpp"

namespace flowspec::test {

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
