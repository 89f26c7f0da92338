/// What the drafter asks of a draft model that reads the target's features, without actors.
#include "tests/support/drafting.hpp"

namespace flowspec::test {

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

BOOST_FIXTURE_TEST_CASE(a_feature_is_known_when_all_its_taps_have_come, TwoTaps) {
  auto prompt = send();
  reroot({1, 2, 3}, no_node, 4, 3);
  BOOST_TEST(draft() == Texts{"0:1:0"}, boost::test_tools::per_element());
  BOOST_TEST(learn_tap(prompt, 1) == "");
  BOOST_TEST(!drafter->can_draft());
  BOOST_TEST(learn_tap({prompt[0], prompt[2]}, 0) == "");
  // The row of token 3 needs what is known of token 2, which is not all.
  BOOST_TEST(draft() == Texts{"1:2:1000"}, boost::test_tools::per_element());
  BOOST_TEST(!drafter->can_draft());
  BOOST_TEST(learn_tap({prompt[1]}, 0) == "");
  Texts expected{"2:3:1001", "3:4:1002"};
  BOOST_TEST(draft() == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(taps_of_dead_nodes_are_ignored, TwoTaps) {
  auto prompt = send();
  learn_tap(prompt, 0);
  learn_tap(prompt, 1);
  reroot({1, 2, 3}, no_node, 4, 3);
  draft();
  auto rows = send();
  BOOST_REQUIRE(rows.size() == 3);  // 4, 41, 42
  BOOST_TEST(learn_tap(rows, 0) == "");
  reroot({rows[0].id}, rows[2].id, 42, 4);
  BOOST_TEST(learn_tap({rows[1], rows[0]}, 1) == "");
  BOOST_TEST(draft() == Texts{"4:42:1003"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(taps_take_memory_for_tokens_of_the_text_and_the_tree_only) {
  std::vector<FeatureReader::Asked> asked;
  FeatureReader model(asked, {3, 8});
  Open open;
  open.session = open.root = 1;
  open.prompt = {1, 2, 3};
  DraftTree tree{open, std::make_shared<SlotPool>(16), 16, 8, true};
  TapJoin join;
  const auto learn = [&](TreeNodeId first, TreeNodeId end) {
    Features features;
    for (TreeNodeId id = first; id < end; ++id)
      features.nodes.push_back(id);
    const std::vector<float> values(features.nodes.size(), 1);
    features.hidden = {static_cast<std::uint32_t>(values.size()), 1, values, nullptr};
    BOOST_TEST(join.learn(features, tree, model).value_or("") == "");
  };
  for (int again = 0; again < 3; ++again) {
    learn(1, 5);  // 4 is nobody
    learn(1000, 5000);
    learn(first_fresh_node, first_fresh_node + 4000);
    BOOST_TEST(join.waiting() == 3U);
  }
}

BOOST_FIXTURE_TEST_CASE(a_tap_that_the_draft_does_not_read_ends_the_session, TwoTaps) {
  auto prompt = send();
  BOOST_TEST(learn_tap(prompt, 2) == "features of tap 2, the draft reads 2");
  BOOST_TEST(!drafter->can_draft());
}

BOOST_AUTO_TEST_CASE(taps_come_in_any_order_and_leave_nothing_behind) {
  TapJoin join;
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  auto tap = [&](std::size_t i) { return std::span(values).subspan(2 * i, 2); };
  std::vector<float> out;
  BOOST_TEST(!join.add(1, 2, 3, tap(2), out));
  BOOST_TEST(!join.add(2, 0, 3, tap(0), out));
  BOOST_TEST(!join.add(1, 0, 3, tap(0), out));
  BOOST_TEST(!join.add(1, 0, 3, tap(0), out));  // again
  BOOST_TEST(join.add(1, 1, 3, tap(1), out));
  BOOST_TEST(out == values, boost::test_tools::per_element());
  BOOST_TEST(join.waiting() == 1U);
  join.keep_if([](TreeNodeId id) { return id != 2; });
  BOOST_TEST(join.waiting() == 0U);
}

}  // namespace flowspec::test
