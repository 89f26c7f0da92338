/// Every order of messages that the channels allow gives the text of plain decoding. Each seed is
/// an order; a seed that fails is shrunk and printed so that it can be replayed.
#define BOOST_TEST_MODULE schedule_fuzz
#include <cstdlib>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include "tests/scenario/stories.hpp"
#include "tests/support/oracle_draft.hpp"
#include "tests/support/pipeline_world.hpp"

namespace flowspec::test {
namespace {

/// One run of the fuzzer: what is run, and in which order.
struct Case {
  std::uint64_t seed = 0;
  std::string mode = "flowspec";
  std::uint32_t stages = 2;
  std::uint32_t sessions = 1;
  std::uint32_t tokens = 24;
  bool sampled = false;
  /// The draft reads the target's hidden states.
  bool features = false;
  /// The channel that gets nothing through while anything else can happen; none: all alike.
  std::string starved = {};
  /// Deliveries after which session 1 is cancelled; 0: never.
  std::size_t cancel_after = 0;
};

std::string describe(const Case& c) {
  return fmt::format(
      "seed {} mode {} stages {} sessions {} tokens {} sampled {} features {} starved '{}' "
      "cancel_after {}",
      c.seed, c.mode, c.stages, c.sessions, c.tokens, c.sampled, c.features, c.starved,
      c.cancel_after);
}

/// Runs the case; gives what went wrong, if anything.
std::optional<std::string> failure(const Case& c) {
  std::mt19937_64 random{c.seed};
  const Story& story = tiny_story(c.sampled);
  WorldOptions options;
  options.model = story.model;
  options.stages = c.stages;
  options.policy = *mode_policy(c.mode, c.stages);
  // Small numbers, so that credits run out and segments are cut.
  options.policy.segment_rows = 8;
  options.policy.draft_width = 4;
  options.policy.top_k = 4;
  options.policy.window = 1 + random() % (c.stages + 2);
  options.policy.hold = random() % 3;
  auto skill_seed = random();
  if (options.policy.speculates())
    options.draft = [&story, skill_seed, size = c.features ? story.hidden_size : 0] {
      return std::make_unique<OracleDraft>(story.text, story.vocab_size, skill_seed,
                                           OracleDraft::Skill{}, size);
    };
  options.send_features = c.features;
  PipelineWorld world{options};
  for (std::uint32_t i = 0; i < c.sessions; ++i)
    world.submit(story.prompt, c.tokens, story.sampling, story.text);

  auto allowed = [&](const std::string& channel) { return channel != c.starved; };
  constexpr std::size_t limit = 200000;
  while (world.deliveries() < limit && world.run_random(random, allowed)) {
    if (world.broken())
      return fmt::format("after {} deliveries: {}", world.deliveries(), *world.broken());
    if (c.cancel_after != 0 && world.deliveries() == c.cancel_after)
      world.cancel(1);
  }
  if (world.deliveries() >= limit)
    return "does not end";
  for (SessionId id = 1; id <= c.sessions; ++id) {
    if (!world.report(id))
      return fmt::format("session {} hangs: no message is left", id);
    const Report& report = *world.report(id);
    if (report.finish == Finish::failed)
      return "session failed: " + report.error;
    bool cancelled = id == 1 && c.cancel_after != 0;
    if (!cancelled && report.finish != Finish::length)
      return "the session ended early";
    auto expected = std::vector<Token>(
        story.text.begin() + static_cast<std::ptrdiff_t>(story.prompt.size()),
        story.text.begin() +
            static_cast<std::ptrdiff_t>(story.prompt.size() +
                                        (cancelled ? report.tokens.size() : c.tokens)));
    if (report.tokens != expected)
      return fmt::format("session {}: other tokens than plain decoding", id);
  }
  if (world.slots_used() != 0)
    return fmt::format("{} KV slots are still taken", world.slots_used());
  return std::nullopt;
}

/// The simplest case that still fails, near the given one.
Case shrink(Case failing) {
  auto simpler = [](const Case& c) {
    std::vector<Case> all;
    auto with = [&](auto change) {
      all.push_back(c);
      change(all.back());
    };
    if (c.sessions > 1)
      with([](Case& x) { --x.sessions; });
    if (c.stages > 1)
      with([](Case& x) { --x.stages; });
    if (c.tokens > 1) {
      with([](Case& x) { x.tokens /= 2; });
      with([](Case& x) { --x.tokens; });
    }
    if (c.sampled)
      with([](Case& x) { x.sampled = false; });
    if (c.features)
      with([](Case& x) { x.features = false; });
    if (!c.starved.empty())
      with([](Case& x) { x.starved.clear(); });
    if (c.cancel_after > 0)
      with([](Case& x) { x.cancel_after = 0; });
    return all;
  };
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (const Case& candidate : simpler(failing))
      if (failure(candidate)) {
        failing = candidate;
        smaller = true;
        break;
      }
  }
  return failing;
}

void expect_plain_text(const Case& c) {
  auto error = failure(c);
  if (!error) {
    BOOST_TEST(true);
    return;
  }
  auto small = shrink(c);
  BOOST_ERROR(describe(c) + ": " + *error + "\n  shrunk to: " + describe(small) + ": " +
              failure(small).value_or("(does not fail)"));
}

/// Orders per combination; FLOWSPEC_FUZZ_SEEDS asks for more or less.
std::uint64_t seeds() {
  const char* text = std::getenv("FLOWSPEC_FUZZ_SEEDS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 30;
}

BOOST_AUTO_TEST_CASE(any_order_gives_the_text_of_plain_decoding) {
  for (std::string_view mode : mode_names())
    for (std::uint32_t stages : {1U, 2U, 3U, 5U})
      for (std::uint64_t seed = 1; seed <= seeds(); ++seed)
        expect_plain_text({.seed = seed,
                           .mode = std::string(mode),
                           .stages = stages,
                           .sampled = seed % 2 == 0,
                           .features = seed % 4 < 2});
}

BOOST_AUTO_TEST_CASE(a_starved_channel_costs_rows_never_the_text) {
  std::vector<std::string> channels{"draft > pruner",    "draft > stage 0",    "stage 0 > stage 1",
                                    "stage 0 > pruner",  "stage 0 > draft",    "stage 1 > pruner",
                                    "verifier > pruner", "stage 1 > verifier", "pruner > draft",
                                    "pruner > stage 0",  "pruner > stage 1",   "pruner > verifier",
                                    "verifier > draft"};
  for (std::string_view mode : mode_names())
    for (const auto& channel : channels)
      for (std::uint64_t seed = 1; seed <= std::max<std::uint64_t>(1, seeds() / 6); ++seed)
        expect_plain_text({.seed = seed,
                           .mode = std::string(mode),
                           .stages = 2,
                           .sampled = seed % 2 == 1,
                           .features = true,
                           .starved = channel});
}

BOOST_AUTO_TEST_CASE(sessions_share_the_pipeline_and_do_not_meet) {
  for (std::string_view mode : mode_names())
    for (std::uint64_t seed = 1; seed <= seeds() / 3 + 1; ++seed)
      expect_plain_text({.seed = seed,
                         .mode = std::string(mode),
                         .stages = 3,
                         .sessions = 3,
                         .sampled = seed % 2 == 0,
                         .features = seed % 4 < 2});
}

BOOST_AUTO_TEST_CASE(a_cancelled_session_leaves_nothing_behind_and_the_others_alone) {
  for (std::string_view mode : mode_names())
    for (std::uint64_t seed = 1; seed <= seeds() / 3 + 1; ++seed)
      expect_plain_text({.seed = seed,
                         .mode = std::string(mode),
                         .stages = 2,
                         .sessions = 2,
                         .features = seed % 2 == 0,
                         .cancel_after = seed * 17});
}

}  // namespace
}  // namespace flowspec::test
