/// Texts that end while later tokens are in flight, in every mode.
#include <boost/test/unit_test.hpp>

#include "actors/policy/modes/modes.hpp"
#include "tests/scenario/scripted_world.hpp"
#include "tests/support/oracle_draft.hpp"

namespace flowspec::test {
namespace {

/// A draft that is always right, so that segments go far ahead.
WorldOptions right_draft(const Story& story, const std::string& mode) {
  WorldOptions options;
  options.model = story.model;
  options.policy = *mode_policy(mode, options.stages);
  options.policy.adaptive = false;
  options.policy.segment_rows = 8;
  options.policy.draft_width = 4;
  options.policy.top_k = std::min(options.policy.top_k, 4U);
  if (options.policy.mode->speculates())
    options.draft = [&story] {
      return std::make_unique<OracleDraft>(story.text, story.vocab_size, 1,
                                           OracleDraft::Skill{1, 0});
    };
  return options;
}

void check_text(const Story& story, const Report& report, std::size_t count) {
  auto first = story.text.begin() + static_cast<std::ptrdiff_t>(story.prompt.size());
  check_tokens(report.tokens, {first, first + static_cast<std::ptrdiff_t>(count)});
}

BOOST_AUTO_TEST_CASE(a_text_ends_inside_a_segment) {
  const Story& story = ending_story(false);
  for (std::string_view mode : mode_names()) {
    auto options = right_draft(story, std::string(mode));
    options.knows_end = true;
    PipelineWorld world{options};
    auto session = world.submit(story.prompt, 40, story.sampling, story.text);
    world.run();
    BOOST_TEST_CONTEXT(mode) {
      BOOST_TEST(world.broken().value_or("") == "");
      BOOST_REQUIRE(world.report(session).has_value());
      BOOST_TEST((world.report(session)->finish == Finish::end_of_text));
      check_text(story, *world.report(session), story.length);
      BOOST_TEST(world.slots_used() == 0U);
      // More tokens were in flight than the text has.
      if (options.policy.mode->speculates())
        BOOST_TEST(world.hop(0).stats.rows_computed > story.prompt.size() + story.length);
    }
  }
}

BOOST_AUTO_TEST_CASE(of_the_token_that_ends_the_text_it_is_told_how_likely_it_was) {
  const Story& story = ending_story(false);
  auto sampling = story.sampling;
  sampling.logprobs = 2;
  for (std::uint32_t limit : {story.length, story.length + 5, 3U}) {
    auto options = right_draft(story, "flowspec");
    options.knows_end = true;
    PipelineWorld world{std::move(options)};
    auto session = world.submit(story.prompt, limit, sampling, story.text);
    world.run();
    BOOST_REQUIRE(world.report(session).has_value());
    const auto& tokens = world.report(session)->tokens;
    BOOST_TEST(tokens.size() == std::min(limit, story.length));
    BOOST_TEST(std::ranges::equal(world.logprobs(session), tokens, {}, &TokenLogprob::token));
    // Greedily chosen tokens are the likeliest.
    for (const TokenLogprob& told : world.logprobs(session)) {
      BOOST_REQUIRE_EQUAL(told.top.size(), 1U);
      BOOST_TEST(told.top[0].token == told.token);
      BOOST_TEST(told.top[0].logprob == told.logprob);
      BOOST_TEST(told.logprob < 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_limit_is_reached_inside_a_segment) {
  const Story& story = tiny_story(false);
  for (std::string_view mode : mode_names())
    for (std::uint32_t limit : {1U, 2U, 5U}) {
      PipelineWorld world{right_draft(story, std::string(mode))};
      auto session = world.submit(story.prompt, limit, story.sampling, story.text);
      world.run();
      BOOST_TEST_CONTEXT(mode << ", " << limit) {
        BOOST_TEST(world.broken().value_or("") == "");
        BOOST_REQUIRE(world.report(session).has_value());
        BOOST_TEST((world.report(session)->finish == Finish::length));
        check_text(story, *world.report(session), limit);
        BOOST_TEST(world.slots_used() == 0U);
      }
    }
}

BOOST_AUTO_TEST_CASE(in_every_mode_a_session_may_be_cancelled_with_segments_in_flight) {
  const Story& story = tiny_story(false);
  for (std::string_view mode : mode_names()) {
    PipelineWorld world{right_draft(story, std::string(mode))};
    auto first = world.submit(story.prompt, 30, story.sampling, story.text);
    auto second = world.submit(story.prompt, 20, story.sampling, story.text);
    // Some way into the answer, with rows of both between the stages.
    world.settle();
    while (world.hop(1).versions[first] < 4) {
      BOOST_REQUIRE(!world.waiting().empty());
      world.deliver(world.waiting().front());
    }
    world.cancel(first);
    world.run();
    BOOST_TEST_CONTEXT(mode) {
      BOOST_TEST(world.broken().value_or("") == "");
      BOOST_REQUIRE((world.report(first).has_value() && world.report(second).has_value()));
      BOOST_TEST((world.report(first)->finish == Finish::cancelled));
      check_text(story, *world.report(first), world.report(first)->tokens.size());
      BOOST_TEST(world.report(first)->tokens.size() < 30U);
      check_text(story, *world.report(second), 20);
      BOOST_TEST(world.slots_used() == 0U);
    }
  }
}

}  // namespace
}  // namespace flowspec::test
