/// Single schedules, message by message: what must happen when a prune overtakes a segment, when
/// credits run out, when a session is cancelled, and so on.
#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>

#include "actors/policy/modes/modes.hpp"
#include "actors/type_ids.hpp"
#include "tests/scenario/two_stages.hpp"

namespace flowspec::test {
namespace {

BOOST_AUTO_TEST_CASE(a_right_draft_is_accepted_many_tokens_at_a_time) {
  PipelineWorld world{two_stages(always_right)};
  auto session = submit(world);
  world.run();
  check_story(world, session);
  BOOST_TEST(world.report(session)->verifications < tokens / 2);
}

BOOST_AUTO_TEST_CASE(a_wrong_draft_costs_one_verification_a_token) {
  PipelineWorld world{two_stages(always_wrong)};
  auto session = submit(world);
  world.run();
  check_story(world, session);
  BOOST_TEST(world.report(session)->verifications == tokens);
}

BOOST_AUTO_TEST_CASE(a_prune_that_overtakes_a_segment_saves_its_computation) {
  PipelineWorld world{two_stages(always_wrong)};
  auto session = submit(world);
  // Everything else goes first, so each prune is at stage 1 before the segments made ahead of it.
  run_with_slow(world, "stage 0 > stage 1");
  check_story(world, session);
  BOOST_TEST(world.hop(1).stats.rows_dropped > 0);
  BOOST_TEST(world.hop(1).stats.rows_computed < world.hop(0).stats.rows_computed);
}

BOOST_AUTO_TEST_CASE(a_prune_may_kill_all_that_is_in_flight) {
  PipelineWorld world{two_stages(always_wrong)};
  auto session = submit(world);
  run_with_slow(world, "stage 0 > stage 1");
  check_story(world, session);
  // Segments that were empty at stage 1 ended there.
  BOOST_TEST(world.hop(1).stats.segments < world.hop(0).stats.segments);
}

BOOST_AUTO_TEST_CASE(a_segment_that_overtakes_its_prune_is_computed_in_the_older_view) {
  PipelineWorld world{two_stages(always_wrong)};
  auto session = submit(world);
  // Nothing goes to the hops directly: prunes reach them only on segments.
  const std::set<std::string> slow{"pruner > stage 0", "pruner > stage 1", "pruner > verifier"};
  world.run(slow);
  check_story(world, session);
  BOOST_TEST(world.waiting().size() == slow.size());
  world.run();
  BOOST_TEST(world.broken().value_or("") == "");
}

BOOST_AUTO_TEST_CASE(without_credits_the_draft_waits) {
  auto options = two_stages(always_right);
  PipelineWorld world{options};
  auto session = submit(world);
  const std::string credits = "pruner > draft";
  world.settle();
  // The first message of the channel opens the session.
  BOOST_TEST(world.deliver(credits));
  world.run({credits});
  BOOST_TEST(world.hop(0).stats.segments == options.policy.window);
  world.run();
  check_story(world, session);
}

BOOST_AUTO_TEST_CASE(a_verdict_of_an_older_version_is_ignored) {
  PipelineWorld world{two_stages(always_right)};
  auto session = submit(world);
  world.settle();
  world.deliver("pruner > draft");
  while (world.hop(0).versions[session] < 2) {
    BOOST_REQUIRE(!world.waiting().empty());
    world.deliver(world.waiting().front());
  }
  AcceptedPath stale{session, 0, {{1, no_node, 0}}, 5};
  caf::anon_send(world.channel("verifier > pruner"), VerdictMessage{{{stale}, {}}});
  world.run();
  check_story(world, session);
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_session_frees_its_slots_while_another_goes_on, TwoSessions) {
  world.deliver("draft > stage 0");
  world.deliver("draft > stage 0");
  world.cancel(first);
  world.run();
  BOOST_TEST((world.report(first)->finish == Finish::cancelled));
  check_story(world, second);
}

BOOST_AUTO_TEST_CASE(a_session_writes_its_text_while_a_long_prompt_that_came_first_is_read) {
  constexpr std::uint32_t few = 6;
  for (std::string_view mode : mode_names()) {
    auto options = two_stages(always_right);
    auto policy = *mode_policy(mode, options.stages);
    policy.adaptive = false;
    policy.segment_rows = 4;
    options.policy = policy;
    options.keeps_log = true;
    PipelineWorld world{options};
    const Story& story = long_story(false);
    auto first = world.submit(story.prompt, tokens, story.sampling, story.text);
    auto read = [&] { return world.hop(0).committed[first].size(); };
    auto next = [&] { BOOST_REQUIRE(world.run_chosen([](const auto&) { return 0; })); };
    while (read() == 0)
      next();
    const Story& tiny = tiny_story(false);
    auto second = world.submit(tiny.prompt, few, tiny.sampling, tiny.text);
    auto before = read();
    while (!world.report(second))
      next();
    BOOST_TEST_CONTEXT(mode) {
      BOOST_TEST(world.report(second)->tokens.size() == few);
      BOOST_TEST(read() > before);
      BOOST_TEST(read() < story.prompt.size());
    }
    world.run();
    BOOST_REQUIRE(world.report(first).has_value());
    BOOST_TEST(world.report(first)->error == "");
    BOOST_TEST(world.report(first)->tokens.size() == tokens);
    BOOST_TEST(world.broken().value_or("") == "");
  }
}

BOOST_AUTO_TEST_CASE(the_tick_of_the_progress_limit_does_not_end_a_session_that_is_closing) {
  PipelineWorld world{two_stages(always_right)};
  auto session = submit(world);
  world.settle();
  world.advance(std::chrono::seconds(58));
  world.cancel(session);
  world.settle();
  world.advance(std::chrono::seconds(3));
  world.settle();
  BOOST_TEST(!world.report(session).has_value());
  world.advance(std::chrono::seconds(3));
  world.settle();
  BOOST_TEST(world.report(session).has_value());
}

BOOST_AUTO_TEST_CASE(a_pipeline_with_long_trips_has_longer_to_let_go_of_a_session) {
  auto options = two_stages(always_right);
  options.keeps_log = true;
  PipelineWorld world{options};
  auto session = submit(world);
  world.settle();
  world.advance(std::chrono::seconds(15));
  while (world.hop(0).committed[session].empty())
    BOOST_REQUIRE(world.run_chosen([](const auto&) { return 0; }));
  world.settle();
  world.cancel(session);
  world.settle();
  world.advance(std::chrono::seconds(30));
  world.settle();
  BOOST_TEST(!world.report(session).has_value());
  world.run();
  BOOST_REQUIRE(world.report(session).has_value());
  BOOST_TEST((world.report(session)->finish == Finish::cancelled));
}

BOOST_AUTO_TEST_CASE(the_client_hears_that_a_long_prompt_advances) {
  PipelineWorld world{two_stages(always_right)};
  const Story& story = long_story(false);
  auto session = world.submit(story.prompt, 1, story.sampling, story.text);
  world.run();
  BOOST_TEST(world.report(session).has_value());
  BOOST_TEST(world.pieces(session) > 10U);
}

BOOST_AUTO_TEST_CASE(statistics_overtake_the_segments_that_wait) {
  auto options = two_stages(always_right);
  options.policy.late = false;
  PipelineWorld world{options};
  const Story& story = long_story(false);
  auto session = world.submit(story.prompt, tokens, story.sampling, story.text);
  world.settle();
  world.deliver("pruner > draft");
  world.deliver("draft > stage 0");  // Open
  for (std::uint32_t i = 0; i < options.policy.window; ++i)
    BOOST_REQUIRE(world.pass("draft > stage 0"));
  auto stats = world.statistics();
  BOOST_REQUIRE(stats.size() == 4U);
  BOOST_TEST(stats[0].segments == 0U);
  BOOST_TEST(world.hop(0).stats.segments == options.policy.window);
  world.run();
  BOOST_TEST(world.report(session)->error == "");
}

}  // namespace
}  // namespace flowspec::test
