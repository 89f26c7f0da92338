/// Schedules in which the tree changes while parts of it are in flight: misses, adoption, late
/// messages, trees that are verified as a whole.
#include <boost/test/unit_test.hpp>

#include "tests/scenario/scripted_world.hpp"

namespace flowspec::test {
namespace {

/// Segments of two rows, so that some of the draft's nodes have not been sent.
struct Narrow : ScriptedWorld {
  explicit Narrow(std::uint32_t window) : ScriptedWorld({.window = window, .segment_rows = 2}) {
    auto path = right_path(3);
    table = {{{path[0]}, {likely(wrong(0), 0.6), likely(path[1], 0.3)}},
             {{path[0], path[1]}, {likely(path[2], 0.9)}},
             {{path[0], wrong(0)}, {likely(wrong(1), 0.05)}},
             {path, {likely(right(3), 0.9)}}};
  }

  bool was_asked(const Tokens& path, std::size_t first_forward) const {
    for (std::size_t i = first_forward; i < asked.size(); ++i)
      for (const auto& row : asked[i])
        if (row.path == path)
          return true;
    return false;
  }
};

struct OneInFlight : Narrow {
  OneInFlight() : Narrow(1) {}
};

struct TwoInFlight : Narrow {
  TwoInFlight() : Narrow(2) {}
};

BOOST_AUTO_TEST_CASE(a_miss_while_a_draft_forward_is_under_way) {
  ScriptedWorld world({});
  world.table = {{{world.right(0)}, {likely(world.wrong(0), 0.6), likely(world.wrong(1), 0.3)}},
                 {{world.right(0), world.wrong(0)}, {likely(world.wrong(2), 0.9)}},
                 {world.right_path(2), {likely(world.right(2), 0.9)}}};
  world.finish_prompt();
  world.draft();
  check_tokens(tokens_of(world.send()), {world.right(0), world.wrong(0), world.wrong(1)});
  // The draft continues the wrong nodes; before the result arrives, they are pruned.
  world.deliver("draft > draft");
  BOOST_TEST(world.asked.back().size() == 2U);
  world.world.run({"draft > draft"});
  BOOST_TEST(world.committed(0) == 1U);
  world.deliver("draft > draft");
  world.draft();
  auto rows = world.send();
  BOOST_TEST(rows.front().token == world.right(1));
  BOOST_TEST(rows.front().id >= first_fresh_node);
  for (const Row& row : rows)
    BOOST_TEST(row.token != world.wrong(2));
  world.finish();
}

BOOST_FIXTURE_TEST_CASE(a_miss_takes_over_what_is_below_an_unsent_child, OneInFlight) {
  finish_prompt();
  draft();
  check_tokens(tokens_of(send()), {right(0), wrong(0)});
  draft();  // below the child that has not been sent
  BOOST_TEST(was_asked(right_path(2), 0));
  auto forwards = asked.size();
  world.run({"draft > draft"});
  auto prune = world.last("pruner > draft").prunes.at(0);
  BOOST_TEST(prune.root.token == right(1));
  BOOST_TEST(prune.root.id >= first_fresh_node);
  draft();
  auto rows = send();
  check_tokens(tokens_of(rows), {right(1), right(2)});
  BOOST_TEST(rows[0].id == prune.root.id);
  BOOST_TEST(rows[1].parent == prune.root.id);
  // The node was not drafted a second time.
  BOOST_TEST(!was_asked(right_path(2), forwards));
  BOOST_TEST(was_asked(right_path(3), forwards));
  finish();
}

BOOST_FIXTURE_TEST_CASE(a_miss_takes_over_a_sent_child_under_new_ids, TwoInFlight) {
  finish_prompt();
  draft();
  check_tokens(tokens_of(send()), {right(0), wrong(0)});
  draft();
  deliver("stage 0 > draft");
  // The pruner has not received the SentRows of the second segment.
  deliver("draft > stage 0");
  auto old = world.last("draft > stage 0").rows;
  check_tokens(tokens_of(old), {right(1), right(2)});
  deliver("stage 0 > stage 1");
  deliver("stage 1 > verifier");
  deliver("verifier > pruner");
  world.run({"draft > draft", "draft > pruner"});
  auto prune = world.last("pruner > stage 0").prunes.at(0);
  BOOST_TEST(prune.root.token == right(1));
  BOOST_TEST(prune.root.id >= first_fresh_node);
  check_ids(live(0), {});  // the rows of the second segment are dead
  draft();
  deliver("draft > pruner");  // now the pruner knows them
  auto rows = send();
  check_tokens(tokens_of(rows), {right(1), right(2)});
  BOOST_TEST(rows[0].id == prune.root.id);
  BOOST_TEST(rows[1].id > old[1].id);
  check_ids(live(0), ids_of(rows));
  finish();
}

BOOST_AUTO_TEST_CASE(a_tree_in_chunks_is_not_walked_before_its_last_chunk_is_back) {
  ScriptedWorld world({.mode = "chunk-pp"});
  auto path = world.right_path(4);
  world.table = {{{path[0]}, {likely(path[1], 0.6), likely(world.wrong(0), 0.3)}},
                 {{path[0], path[1]}, {likely(path[2], 0.6), likely(world.wrong(1), 0.3)}},
                 {{path[0], path[1], path[2]}, {likely(path[3], 0.6)}}};
  world.finish_prompt();
  while (world.waits("draft > draft"))
    world.deliver("draft > draft");
  std::vector<Tokens> chunks{
      {path[0], path[1]}, {world.wrong(0), path[2]}, {world.wrong(1), path[3]}};
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    check_tokens(tokens_of(world.send()), chunks[i]);
    bool last = i + 1 == chunks.size();
    BOOST_TEST(world.world.last("draft > stage 0").awaits_more == !last);
    world.deliver("stage 0 > draft");
    world.deliver("stage 0 > stage 1");
    world.deliver("stage 1 > verifier");
    world.deliver("verifier > pruner");
    auto verdict = world.world.last("verifier > pruner");
    BOOST_TEST(verdict.ended.size() == 1U);
    BOOST_REQUIRE(verdict.paths.size() == (last ? 1U : 0U));
    if (last)
      BOOST_TEST(verdict.paths[0].path.size() == path.size());
    else
      BOOST_TEST(!world.waits("pruner > stage 0"));
  }
  world.finish();
}

BOOST_AUTO_TEST_CASE(without_features_the_text_goes_on_a_token_at_a_time) {
  ScriptedWorld world({.features = true});
  world.table = {{world.right_path(1), {likely(world.right(1), 0.9)}}};
  world.world.run({"verifier > draft"});
  BOOST_REQUIRE(world.world.report(world.session).has_value());
  BOOST_TEST(world.world.report(world.session)->verifications == world.setup.max_tokens);
  world.finish();
}

BOOST_AUTO_TEST_CASE(late_features_are_used_when_they_come) {
  ScriptedWorld world({.features = true});
  for (std::size_t i = 1; i < world.setup.max_tokens; ++i)
    world.table[world.right_path(i)] = {likely(world.right(i), 0.9)};
  world.world.settle();
  while (world.committed(0) < 5) {
    auto waiting = world.world.waiting();
    std::erase(waiting, "verifier > draft");
    BOOST_REQUIRE(!waiting.empty());
    world.deliver(waiting.front());
  }
  for (const auto& forward : world.asked)
    BOOST_TEST(forward.empty());  // nothing behind the prompt
  world.finish();
  std::size_t exact = 0;
  for (const auto& forward : world.asked)
    for (const auto& row : forward)
      exact += row.exact ? 1 : 0;
  BOOST_TEST(exact >= 5U);
  BOOST_TEST(world.world.report(world.session)->verifications < world.setup.max_tokens);
}

}  // namespace
}  // namespace flowspec::test
