/// The trees without actors: which rows live, where the root goes, what is drafted and sent next.
#include <cmath>

#include <boost/test/unit_test.hpp>

#include "actors/tree/accepted_path.hpp"
#include "actors/tree/canonical_tree.hpp"
#include "actors/tree/draft_tree.hpp"
#include "actors/tree/live_view.hpp"

namespace flowspec {
namespace {

Row row(TreeNodeId id, TreeNodeId parent, Token token, Position position) {
  return {1, id, parent, token, position};
}

Prune prune(TreeVersion version, std::vector<TreeNodeId> path, Row root) {
  return {1, version, std::move(path), root};
}

bool is_invalid(const ViewResult& result, const std::string& text) {
  return result.kind == ViewResult::Kind::invalid && result.error.find(text) != std::string::npos;
}

/// 1 ─ 2 ─ 4
///   └ 3 ─ 5      ids; the tokens are ten times as large
struct Tree {
  std::shared_ptr<SlotPool> pool = std::make_shared<SlotPool>(16);
  LiveView view{1, pool};

  Tree() {
    for (const Row& r : rows())
      view.admit(r);
  }

  static std::vector<Row> rows() {
    return {row(1, no_node, 10, 0), row(2, 1, 20, 1), row(3, 1, 30, 1), row(4, 2, 40, 2),
            row(5, 3, 50, 2)};
  }
};

BOOST_AUTO_TEST_SUITE(live_view)

BOOST_FIXTURE_TEST_CASE(a_row_lives_if_it_is_the_root_or_its_parent_lives, Tree) {
  BOOST_TEST(view.live().size() == 5);
  BOOST_TEST((view.admit(row(9, 8, 1, 3)).kind == ViewResult::Kind::ignored));
  BOOST_TEST(view.live().size() == 5);
  BOOST_TEST(pool->left() == 11);
}

BOOST_FIXTURE_TEST_CASE(a_prune_commits_the_path_and_frees_all_that_is_not_below_the_root, Tree) {
  BOOST_TEST(bool(view.apply(prune(1, {1}, row(2, 1, 20, 1)))));
  BOOST_TEST(view.committed().size() == 1);
  BOOST_TEST(view.live().size() == 2);
  BOOST_TEST(view.find(3) == nullptr);
  BOOST_TEST(view.find(5) == nullptr);
  BOOST_TEST(pool->left() == 13);
  BOOST_TEST(view.broken_invariant().value_or("") == "");
}

BOOST_FIXTURE_TEST_CASE(a_prune_that_comes_twice_or_late_changes_nothing, Tree) {
  view.apply(prune(1, {1}, row(2, 1, 20, 1)));
  auto again = view.apply(prune(1, {1}, row(3, 1, 30, 1)));
  BOOST_TEST((again.kind == ViewResult::Kind::ignored));
  BOOST_TEST(view.root() == 2);
}

BOOST_FIXTURE_TEST_CASE(a_missing_version_is_invalid, Tree) {
  BOOST_TEST(is_invalid(view.apply(prune(2, {1}, row(2, 1, 20, 1))), "follows version 0"));
}

BOOST_FIXTURE_TEST_CASE(a_path_must_be_a_chain_of_live_nodes_from_the_root, Tree) {
  BOOST_TEST(is_invalid(view.apply(prune(1, {2}, row(4, 2, 40, 2))), "does not continue"));
  BOOST_TEST(is_invalid(view.apply(prune(1, {1, 5}, row(9, 5, 1, 3))), "does not continue"));
  BOOST_TEST(is_invalid(view.apply(prune(1, {1, 77}, row(9, 77, 1, 2))), "not live"));
  BOOST_TEST(is_invalid(view.apply(prune(1, {}, row(2, 1, 20, 1))), "empty path"));
  BOOST_TEST(is_invalid(view.apply(prune(1, {1}, row(2, 1, 20, 7))), "position 7, expected 1"));
  BOOST_TEST(view.version() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_fresh_root_may_come_before_or_after_its_prune, Tree) {
  Row fresh = row(first_fresh_node, 4, 99, 3);
  auto moved = prune(1, {1, 2, 4}, fresh);
  Tree other;
  LiveView& early = view;
  BOOST_TEST(bool(early.admit(fresh)));
  BOOST_TEST(bool(early.apply(moved)));
  LiveView& late = other.view;
  BOOST_TEST(bool(late.apply(moved)));
  BOOST_TEST(bool(late.admit(fresh)));
  for (const LiveView* one : {&early, &late}) {
    BOOST_TEST(one->live().size() == 1);
    BOOST_TEST(one->root() == first_fresh_node);
    BOOST_TEST(one->broken_invariant().value_or("") == "");
  }
}

BOOST_FIXTURE_TEST_CASE(committed_nodes_are_no_live_parents, Tree) {
  view.apply(prune(1, {1, 2}, row(4, 2, 40, 2)));
  BOOST_TEST((view.admit(row(8, 2, 80, 2)).kind == ViewResult::Kind::ignored));
}

BOOST_FIXTURE_TEST_CASE(the_context_of_a_row_is_the_committed_prefix_and_its_live_path, Tree) {
  std::vector<Slot> path;
  view.append_path(5, path);
  BOOST_TEST(path.size() == 3);
  view.apply(prune(1, {1}, row(3, 1, 30, 1)));
  path.clear();
  view.append_path(5, path);
  BOOST_TEST(path.size() == 2);
  BOOST_TEST(view.committed().size() + path.size() == view.find(5)->position + 1U);
}

BOOST_FIXTURE_TEST_CASE(a_common_beginning_is_held_once_and_as_long_as_anybody_needs_it, Tree) {
  view.apply(prune(1, {1, 2}, row(4, 2, 40, 2)));
  {
    LiveView other{1, view, 2};
    BOOST_TEST(std::vector<Token>(other.committed_tokens().begin(),
                                  other.committed_tokens().end()) == (std::vector<Token>{10, 20}),
               boost::test_tools::per_element());
    BOOST_TEST(std::ranges::equal(other.committed(), view.committed()));
    BOOST_TEST(bool(other.admit(row(1, no_node, 77, 2))));
    BOOST_TEST(pool->used() == 4U);
    LiveView first = std::move(view);
    BOOST_TEST(first.held() == 3U);
    LiveView third{1, other, 1};
  }
  BOOST_TEST(pool->used() == 0U);
}

BOOST_FIXTURE_TEST_CASE(what_is_kept_of_a_text_is_what_was_committed, Tree) {
  view.apply(prune(1, {1, 2}, row(4, 2, 40, 2)));
  view.forget_live();
  BOOST_TEST(pool->used() == 2U);
  BOOST_TEST(view.broken_invariant().value_or("") == "");
}

BOOST_FIXTURE_TEST_CASE(what_breaks_the_protocol_is_refused_by_name, Tree) {
  BOOST_TEST(is_invalid(view.admit(row(5, 3, 50, 2)), "sent twice"));
  BOOST_TEST(is_invalid(view.admit(row(6, 3, 60, 4)), "position 4, expected 2"));
  LiveView small{1, std::make_shared<SlotPool>(1)};
  BOOST_TEST(bool(small.admit(row(1, no_node, 10, 0))));
  BOOST_TEST(is_invalid(small.admit(row(2, 1, 20, 1)), "no KV slot left of 1"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(accepted_paths)

BOOST_FIXTURE_TEST_CASE(the_walk_follows_the_targets_tokens_as_far_as_rows_are_there, Tree) {
  std::vector<Token> next(16, 0);
  next[view.find(1)->slot] = 30;
  next[view.find(3)->slot] = 50;
  next[view.find(5)->slot] = 7;
  auto walk = accepted_path(1, view, [&](Slot slot) { return next[slot]; });
  BOOST_REQUIRE(walk.has_value());
  BOOST_TEST(walk->path.size() == 3);
  BOOST_TEST(walk->path.back().id == 5);
  BOOST_TEST(walk->next == 7);
}

BOOST_AUTO_TEST_CASE(there_is_no_walk_before_the_roots_row_has_come) {
  LiveView view{1, std::make_shared<SlotPool>(4)};
  BOOST_TEST(!accepted_path(1, view, [](Slot) { return 0; }).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

/// The canonical tree of the same rows.
struct Canonical {
  CanonicalTree tree{1, 1};

  Canonical() {
    auto rows = Tree::rows();
    tree.grow(rows);
  }

  static AcceptedPath walk(TreeVersion version, std::vector<PathNode> path, Token next) {
    return {1, version, std::move(path), next, {}};
  }
};

BOOST_AUTO_TEST_SUITE(canonical_tree)

BOOST_FIXTURE_TEST_CASE(a_known_child_with_the_targets_token_becomes_the_root, Canonical) {
  auto decided = tree.decide(walk(0, {{1, no_node, 10}, {3, 1, 30}}, 50));
  auto& decision = std::get<Decision>(decided);
  BOOST_TEST(decision.hit);
  BOOST_TEST(decision.prune.root.id == 5);
  BOOST_TEST(decision.prune.root.position == 2);
  BOOST_TEST(decision.prune.version == 1);
  BOOST_TEST(decision.accepted == (std::vector<Token>{30, 50}), boost::test_tools::per_element());
  BOOST_TEST(decision.position == 1);
  BOOST_TEST(tree.size() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_token_that_no_child_has_makes_a_fresh_root, Canonical) {
  auto decided = tree.decide(walk(0, {{1, no_node, 10}}, 77));
  auto& decision = std::get<Decision>(decided);
  BOOST_TEST(!decision.hit);
  BOOST_TEST(decision.prune.root.id == first_fresh_node);
  BOOST_TEST(decision.prune.root.parent == 1);
  BOOST_TEST(tree.size() == 0);
}

BOOST_FIXTURE_TEST_CASE(log_probabilities_come_with_the_tokens_that_they_are_of, Canonical) {
  auto accepted = walk(0, {{1, no_node, 10}, {3, 1, 30}}, 50);
  accepted.logprobs = {{30, -0.5F, {{20, -0.25F}}}, {50, -1, {}}};
  auto fitting = tree.decide(accepted);
  BOOST_TEST((std::get<Decision>(fitting).logprobs == accepted.logprobs));
}

BOOST_AUTO_TEST_CASE(log_probabilities_of_other_tokens_are_dropped) {
  for (const std::vector<TokenLogprob>& wrong :
       std::vector<std::vector<TokenLogprob>>{{},
                                              {{30, -1, {}}},
                                              {{30, -1, {}}, {51, -1, {}}},
                                              {{30, -1, {}}, {50, -1, {}}, {50, -1, {}}}}) {
    Canonical canonical;
    auto accepted = Canonical::walk(0, {{1, no_node, 10}, {3, 1, 30}}, 50);
    accepted.logprobs = wrong;
    auto decided = canonical.tree.decide(accepted);
    BOOST_TEST(std::get<Decision>(decided).logprobs.empty());
    BOOST_TEST(std::get<Decision>(decided).accepted.size() == 2U);
  }
}

BOOST_FIXTURE_TEST_CASE(an_older_version_is_stale_and_a_newer_one_an_error, Canonical) {
  tree.decide(walk(0, {{1, no_node, 10}}, 20));
  BOOST_TEST(std::holds_alternative<StalePath>(tree.decide(walk(0, {{1, no_node, 10}}, 30))));
  BOOST_TEST(std::holds_alternative<std::string>(tree.decide(walk(5, {{2, 1, 20}}, 30))));
  BOOST_TEST(tree.version() == 1);
}

BOOST_FIXTURE_TEST_CASE(rows_below_dead_nodes_are_left_out, Canonical) {
  tree.decide(walk(0, {{1, no_node, 10}}, 20));
  std::vector<Row> late{row(6, 3, 60, 2), row(7, 4, 70, 3)};
  tree.grow(late);
  BOOST_TEST(tree.size() == 3);  // 2, 4 and 7
}

BOOST_FIXTURE_TEST_CASE(a_walk_may_run_ahead_of_the_news_of_its_rows, Canonical) {
  auto decided = tree.decide(walk(0, {{1, no_node, 10}, {8, 1, 80}}, 90));
  BOOST_TEST(std::get<Decision>(decided).prune.root.position == 2);
}

BOOST_FIXTURE_TEST_CASE(a_walk_that_contradicts_the_tree_is_an_error, Canonical) {
  BOOST_TEST(std::holds_alternative<std::string>(tree.decide(walk(0, {{2, 1, 20}}, 1))));
  BOOST_TEST(
      std::holds_alternative<std::string>(tree.decide(walk(0, {{1, no_node, 10}, {4, 2, 40}}, 1))));
  BOOST_TEST(
      std::holds_alternative<std::string>(tree.decide(walk(0, {{1, no_node, 10}, {2, 1, 99}}, 1))));
}

BOOST_AUTO_TEST_SUITE_END()

/// A prompt of three tokens, of which the last has two guesses.
struct Guesses {
  DraftTree tree{Open{1, 1, {10, 20, 30}, {}, 10, 64}, std::make_shared<SlotPool>(100), 8, 32};
  DraftTree::Index last = 2;

  Guesses() {
    std::vector<Candidate> guesses{{40, std::log(0.5F)}, {50, std::log(0.3F)}, {-1, 0}};
    tree.expand(last, guesses, 0.01);
  }

  void send_all() {
    for (auto index : tree.best_to_send(100, 0))
      tree.mark_sent(index);
  }
};

BOOST_AUTO_TEST_SUITE(draft_tree)

BOOST_FIXTURE_TEST_CASE(nodes_leave_in_order_of_reach_and_parents_first, Guesses) {
  std::vector<Candidate> deeper{{60, std::log(0.9F)}};
  tree.expand(3, deeper, 0.01);  // reach 0.45, between the two guesses
  auto order = tree.best_to_send(100, 0.01);
  std::vector<Token> tokens;
  for (auto index : order)
    tokens.push_back(tree.node(index).token);
  BOOST_TEST(tokens == (std::vector<Token>{10, 20, 30, 40, 60, 50}),
             boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(weak_guesses_are_not_kept_sent_or_expanded, Guesses) {
  std::vector<Candidate> weak{{60, std::log(0.001F)}};
  tree.expand(3, weak, 0.01);
  BOOST_TEST(tree.size() == 5);
  BOOST_TEST(tree.best_to_send(100, 0.4).size() == 4);
  BOOST_TEST(tree.best_to_expand(100, 0.4, 9).empty());
  BOOST_TEST(tree.best_to_expand(100, 0.2, 9).size() == 1);
  BOOST_TEST(tree.best_to_expand(100, 0.2, 1).empty());
}

BOOST_FIXTURE_TEST_CASE(a_hit_keeps_the_roots_subtree_as_it_was, Guesses) {
  send_all();
  BOOST_TEST(tree.reroot(prune(1, {1, 2, 3}, row(4, 3, 40, 3))).value_or("") == "");
  BOOST_TEST(tree.size() == 1);
  BOOST_TEST(tree.node(tree.root()).id == 4);
  BOOST_TEST(tree.node(tree.root()).sent);
  BOOST_TEST(tree.committed_tokens().size() == 3);
  BOOST_TEST(tree.broken_invariant().value_or("") == "");
}

BOOST_FIXTURE_TEST_CASE(a_miss_makes_a_new_unsent_root, Guesses) {
  send_all();
  BOOST_TEST(tree.reroot(prune(1, {1, 2, 3}, row(first_fresh_node, 3, 99, 3))).value_or("") == "");
  BOOST_TEST(tree.size() == 1);
  Row root = tree.row(tree.root());
  BOOST_TEST(root.id == first_fresh_node);
  BOOST_TEST(root.parent == 3);
  BOOST_TEST(root.token == 99);
  BOOST_TEST(tree.best_to_send(9, 0.001).size() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_fresh_root_takes_over_a_sent_child_with_new_ids_below_it, Guesses) {
  // The pruner had not heard of the child with token 40 when it decided.
  std::vector<Candidate> deeper{{60, std::log(0.9F)}};
  tree.expand(3, deeper, 0.01);
  send_all();
  auto old_id = tree.node(5).id;
  BOOST_TEST(tree.reroot(prune(1, {1, 2, 3}, row(first_fresh_node, 3, 40, 3))).value_or("") == "");
  BOOST_REQUIRE(tree.size() == 2);
  BOOST_TEST(tree.node(0).id == first_fresh_node);
  BOOST_TEST(tree.node(1).token == 60);
  BOOST_TEST(tree.node(1).id != old_id);
  BOOST_TEST(!tree.node(0).sent);
  BOOST_TEST(!tree.node(1).sent);
  BOOST_TEST(tree.sent_live() == 0);
}

BOOST_FIXTURE_TEST_CASE(reach_is_counted_from_the_root, Guesses) {
  std::vector<Candidate> deeper{{60, std::log(0.9F)}};
  tree.expand(3, deeper, 0.01);
  send_all();
  tree.reroot(prune(1, {1, 2, 3}, row(4, 3, 40, 3)));
  BOOST_TEST(tree.node(0).path_probability == 1.0);
  BOOST_TEST(tree.node(1).path_probability == 0.9, boost::test_tools::tolerance(1e-6));
  BOOST_TEST(tree.node(1).depth == 1);
}

BOOST_FIXTURE_TEST_CASE(no_row_stands_at_or_beyond_the_position_limit, Guesses) {
  DraftTree short_text{Open{1, 1, {10, 20, 30}, {}, 4, 64}, std::make_shared<SlotPool>(100), 8, 32};
  std::vector<Candidate> guess{{40, -0.1F}};
  short_text.expand(2, guess, 0.01);
  BOOST_TEST(short_text.best_to_expand(9, 0, 9).empty());
  BOOST_TEST(short_text.best_to_send(9, 0).size() == 4);
  for (auto index : short_text.best_to_send(9, 0))
    short_text.mark_sent(index);
  short_text.reroot(prune(1, {1, 2, 3}, row(4, 3, 40, 3)));
  short_text.reroot(prune(2, {4}, row(first_fresh_node, 4, 50, 4)));
  BOOST_TEST(short_text.version() == 2);
  BOOST_TEST(short_text.best_to_send(9, 0).empty());
}

BOOST_FIXTURE_TEST_CASE(draft_slots_of_dead_nodes_are_free_again, Guesses) {
  for (DraftTree::Index index : {0U, 1U, 2U, 3U, 4U})
    BOOST_TEST(tree.take_slot(index));
  BOOST_TEST(tree.free_slots() == 3);
  send_all();
  tree.reroot(prune(1, {1, 2, 3}, row(4, 3, 40, 3)));
  BOOST_TEST(tree.free_slots() == 4);
  BOOST_TEST(tree.committed_slots().size() == 3);
  BOOST_TEST(tree.broken_invariant().value_or("") == "");
}

BOOST_FIXTURE_TEST_CASE(a_prune_that_does_not_fit_gives_the_reason, Guesses) {
  BOOST_TEST(tree.reroot(prune(2, {1}, row(2, 1, 20, 1))).value_or("") ==
             "prune of version 2 follows version 0");
  BOOST_TEST(tree.reroot(prune(1, {1}, row(2, 1, 20, 1))).has_value());  // was never sent
  send_all();
  BOOST_TEST(tree.reroot(prune(1, {1, 3}, row(4, 3, 40, 3))).has_value());
  BOOST_TEST(tree.reroot(prune(1, {1}, row(77, 1, 20, 1))).has_value());
  BOOST_TEST(tree.version() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace flowspec
