/// The figure of the FlowSpec paper (arXiv 2507.02620), played channel by channel with three
/// stages. Segments S(0), S(1), S(2) of a tree fill the pipeline. S(0) is verified: nodes 0 and 1
/// are accepted, and the target continues with node 4. Node 4 becomes the root; nodes that are not
/// below it are pruned in flight. New nodes that the draft finds below it are merged and sent as
/// S(3).
///
///   S(0)  0 ─┬─ 1 ─┬─ 3 ── 6        root, accepted: 0, 1
///         └  └─ 2  └─ 4 ── 7        new root: 4; it keeps 7
///                 └─ 5 ── 8         (5 is a child of 2)
///
/// In the paper the steps wait for each other and indices are renumbered; here nothing waits, and
/// nodes keep their ids.
#include <boost/test/unit_test.hpp>

#include "tests/scenario/scripted_world.hpp"

namespace flowspec::test {
namespace {

struct Figure : ScriptedWorld {
  /// Tokens of the nodes 0 to 8. The target writes those of 0, 1, 4, 7, and then `next`.
  Tokens token{right(0), right(1), wrong(0), wrong(1), right(2),
               wrong(2), wrong(3), right(3), wrong(4)};
  Token next = right(4);
  /// Ids of the nodes 0 to 8, filled in as they appear.
  Ids id = Ids(9);

  Figure() : ScriptedWorld({.stages = 3, .features = true, .draft_width = 3, .top_k = 3}) {
    // Probabilities such that the nodes' path probabilities fall from node 0 to node 8.
    const auto& t = token;
    table = {{{t[0]}, {likely(t[1], 0.55), likely(t[2], 0.44)}},
             {{t[0], t[1]}, {likely(t[3], 0.5), likely(t[4], 0.45)}},
             {{t[0], t[2]}, {likely(t[5], 0.55)}},
             {{t[0], t[1], t[3]}, {likely(t[6], 0.85)}},
             {{t[0], t[1], t[4]}, {likely(t[7], 0.93)}},
             {{t[0], t[2], t[5]}, {likely(t[8], 0.93)}}};
  }

  Ids ids(std::initializer_list<std::size_t> nodes) const {
    Ids list;
    for (std::size_t node : nodes)
      list.push_back(id[node]);
    return list;
  }

  /// Checks that the rows are these nodes, in this order, and records their ids.
  void expect_rows(const std::vector<Row>& rows, std::initializer_list<std::size_t> nodes) {
    BOOST_REQUIRE(rows.size() == nodes.size());
    const Row* row = rows.data();
    for (std::size_t node : nodes) {
      BOOST_TEST(row->token == token[node]);
      id[node] = row++->id;
    }
  }

  /// Tree generation, and filling the pipeline. S(0): the root and the nodes below it.
  void fill_pipeline();
  /// Verification of S(0) alone. After node 1 the target writes node 4, which is two hops away.
  void verify_first_segment();
  /// Pruning at each stage when the prune arrives. Nodes 0 and 1 are committed, 4 keeps its id.
  void prune_at_stages();
  /// Pruning in flight: S(1) and S(2) were made before the prune and arrive after it. Only 4 and 7
  /// are computed and sent on.
  void prune_in_flight();
  /// Expansion at the draft: with the features of the accepted tokens it changes its guesses after
  /// 4, and guesses for the first time after 7.
  void expand();
  /// Merge: 7 was proposed again and is not sent again. S(3) has the five new nodes, the best first,
  /// below the old ones.
  std::vector<Row> merge();
  /// S(1) returns with node 4 only: 7 follows it. S(2) returns with 7: a node of S(3) follows it.
  /// Roots that are in the pipeline keep their ids.
  void verify_what_was_in_flight(const std::vector<Row>& merged);
};

void Figure::fill_pipeline() {
  draft();
  expect_rows(send(), {0, 1, 2});
  BOOST_TEST(id[0] >= first_fresh_node);
  // S(1) is drafted while stage 0 computes, and leaves when stage 0 can take it, not before.
  draft();
  BOOST_TEST(!waits("draft > stage 0"));
  deliver("stage 0 > draft");
  deliver("stage 0 > stage 1");
  expect_rows(send(), {3, 4, 5});
  draft();
  deliver("stage 0 > draft");
  deliver("stage 1 > stage 2");
  deliver("stage 0 > stage 1");
  expect_rows(send(), {6, 7, 8});
  // Stage 2 has S(0), stage 1 also S(1), stage 0 all three: one segment is under way per stage.
  check_ids(live(0), ids({0, 1, 2, 3, 4, 5, 6, 7, 8}));
  check_ids(live(1), ids({0, 1, 2, 3, 4, 5}));
  check_ids(live(2), ids({0, 1, 2}));
}

void Figure::verify_first_segment() {
  deliver("stage 2 > verifier");
  deliver("verifier > pruner");
  auto verdict = world.last("verifier > pruner");
  BOOST_REQUIRE(verdict.paths.size() == 1U);
  const AcceptedPath& walk = verdict.paths.front();
  BOOST_REQUIRE(walk.path.size() == 2U);
  BOOST_TEST(walk.path[0].id == id[0]);
  BOOST_TEST(walk.path[1].id == id[1]);
  BOOST_TEST(walk.next == token[4]);
}

void Figure::prune_at_stages() {
  deliver("pruner > stage 0");
  auto prune = world.last("pruner > stage 0").prunes.at(0);
  check_ids(prune.path, ids({0, 1}));
  BOOST_TEST(prune.root.id == id[4]);
  check_ids(live(0), ids({4, 7}));
  BOOST_TEST(committed(0) == 2U);
  check_ids(live(1), ids({0, 1, 2, 3, 4, 5}));
  deliver("pruner > stage 1");
  check_ids(live(1), ids({4}));
  deliver("pruner > stage 2");
  check_ids(live(2), {});
  BOOST_TEST(committed(2) == 2U);
}

void Figure::prune_in_flight() {
  auto computed = [this](std::uint32_t stage) { return world.hop(stage).stats.rows_computed; };
  auto before = computed(2);
  deliver("stage 1 > stage 2");
  check_ids(ids_of(world.last("stage 1 > stage 2").rows), ids({3, 4, 5}));
  check_ids(live(2), ids({4}));
  BOOST_TEST(computed(2) == before + 1);
  BOOST_TEST(world.hop(2).stats.rows_dropped == 2U);
  before = computed(1);
  deliver("stage 0 > stage 1");
  check_ids(live(1), ids({4, 7}));
  BOOST_TEST(computed(1) == before + 1);
  BOOST_TEST(world.hop(1).stats.rows_dropped == 2U);
}

void Figure::expand() {
  deliver("pruner > verifier");
  deliver("verifier > draft");
  check_ids(world.last("verifier > draft").nodes, ids({0, 1, 2}));
  deliver("pruner > draft");
  deliver("stage 0 > draft");
  BOOST_TEST(!waits("draft > stage 0"));  // not before it has guessed below the new root
  table[{token[0], token[1], token[4]}] = {likely(token[7], 0.6), likely(wrong(5), 0.25),
                                           likely(wrong(6), 0.1)};
  table[{token[0], token[1], token[4], token[7]}] = {likely(next, 0.5), likely(wrong(7), 0.3),
                                                     likely(wrong(8), 0.1)};
  auto forwards = asked.size();
  draft();
  BOOST_TEST(asked.size() == forwards + 1);
  // The accepted node 1 and the root are computed from the target's features, 7 from a guess.
  const std::vector<ScriptedDraft::Asked> expected{
      {Tokens{token[0], token[1]}, true},
      {Tokens{token[0], token[1], token[4], token[7]}, false},
      {Tokens{token[0], token[1], token[4]}, true}};
  BOOST_TEST((asked.back() == expected));
}

std::vector<Row> Figure::merge() {
  auto rows = send();
  check_tokens(tokens_of(rows), {next, wrong(5), wrong(7), wrong(6), wrong(8)});
  for (const Row& row : rows) {
    bool below_root = row.token == wrong(5) || row.token == wrong(6);
    BOOST_TEST(row.parent == id[below_root ? 4 : 7]);
    BOOST_TEST((row.id > id[8] && row.id < first_fresh_node));
  }
  // The old order stays: 4 and 7, then the new nodes.
  auto order = ids({4, 7});
  for (TreeNodeId node : ids_of(rows))
    order.push_back(node);
  check_ids(live(0), order);
  return rows;
}

void Figure::verify_what_was_in_flight(const std::vector<Row>& merged) {
  deliver("stage 2 > verifier");
  deliver("verifier > pruner");
  deliver("pruner > stage 0");
  BOOST_TEST(world.last("pruner > stage 0").prunes.at(0).root.id == id[7]);
  deliver("stage 1 > stage 2");
  deliver("pruner > stage 2");
  deliver("pruner > verifier");
  deliver("stage 2 > verifier");
  deliver("verifier > pruner");
  deliver("pruner > stage 0");
  BOOST_TEST(world.last("pruner > stage 0").prunes.at(0).root.id == merged.front().id);
  BOOST_TEST(committed(0) == 4U);
}

BOOST_FIXTURE_TEST_CASE(the_papers_figure, Figure) {
  // The prompt goes through; the target's first token is the root, node 0. Nothing is guessed
  // before that, since the draft has no features.
  finish_prompt();
  BOOST_TEST(!waits("draft > stage 0"));
  fill_pipeline();
  verify_first_segment();
  prune_at_stages();
  prune_in_flight();
  expand();
  auto merged = merge();
  verify_what_was_in_flight(merged);
  // And so on to the end; the table has no more guesses.
  finish();
}

}  // namespace
}  // namespace flowspec::test
