/// Parts of the pipeline are lost in mid-text, at any moment and in any order of messages: the text is the
/// undisturbed one, and nothing is left behind.

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <span>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include "actors/policy/modes/modes.hpp"
#include "tests/scenario/stories.hpp"
#include "tests/support/oracle_draft.hpp"
#include "tests/support/pipeline_world.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

constexpr std::size_t most_deliveries = 200000;

/// What is lost after so many deliveries.
struct Loss {
  std::size_t after = 0;
  std::uint32_t home = 0;
};

struct RecoveryCase {
  std::uint64_t seed = 0;
  std::string mode = "flowspec";
  std::uint32_t stages = 3;
  /// Those beyond the stages are spares.
  std::uint32_t homes = 4;
  std::uint32_t sessions = 1;
  std::uint32_t tokens = 10;
  bool sampled = false;
  /// With penalties and log-probabilities.
  bool penalised = false;
  bool keeps_output = true;
  std::vector<Loss> losses = {};
  /// Homes of verifier, draft, and pruner.
  std::array<std::optional<std::uint32_t>, 3> part_homes = {};
  /// In the order of sending, else at random.
  bool in_order = false;
};

WorldOptions options_of(const RecoveryCase& c, const Story& story) {
  WorldOptions options;
  options.model = story.model;
  options.stages = c.stages;
  options.homes = c.homes;
  options.keeps_output = c.keeps_output;
  options.part_homes = c.part_homes;
  options.policy = *mode_policy(c.mode, c.stages);
  options.policy.segment_rows = 8;
  options.policy.draft_width = 4;
  options.policy.top_k = std::min(options.policy.top_k, 4U);
  options.policy.window = c.stages + 1;
  options.policy.adaptive = false;
  if (options.policy.mode->speculates())
    options.draft = [&story, seed = c.seed] {
      return std::make_unique<OracleDraft>(story.text, story.vocab_size, seed, OracleDraft::Skill{},
                                           0U);
    };
  return options;
}

class Scene {
 public:
  explicit Scene(const RecoveryCase& c)
      : case_(c),
        story_(c.penalised ? penalised_story(c.sampled) : tiny_story(c.sampled)),
        world_(options_of(c, story_)),
        random_(c.seed) {
    for (std::uint32_t i = 0; i < c.sessions; ++i)
      world_.submit(story_.prompt, c.tokens, story_.sampling, story_.text);
  }

  PipelineWorld& world() { return world_; }

  /// False if nothing is left to do.
  bool step() {
    for (const Loss& loss : case_.losses)
      if (world_.deliveries() - begin_ == loss.after)
        world_.lose_home(loss.home);
    return world_.run_chosen(
        [&](const auto& channels) { return case_.in_order ? 0 : random_() % channels.size(); });
  }

  /// Runs to the end; says what is wrong with it.
  std::optional<std::string> run() {
    while (world_.deliveries() < most_deliveries && step())
      if (world_.broken())
        return *world_.broken();
    return wrong_end();
  }

  std::size_t deliveries() const { return world_.deliveries() - begin_; }

 private:
  std::optional<std::string> wrong_end() {
    if (world_.deliveries() >= most_deliveries)
      return "does not end";
    for (SessionId id = 1; id <= case_.sessions; ++id) {
      if (!world_.report(id))
        return fmt::format("session {} hangs", id);
      const Report& report = *world_.report(id);
      if (report.finish != Finish::length)
        return fmt::format("session {} failed: {}", id, report.error);
      auto first = story_.text.begin() + static_cast<std::ptrdiff_t>(report.prompt_tokens);
      if (report.tokens != std::vector<Token>(first, first + case_.tokens))
        return fmt::format("session {}: another text", id);
      auto told = std::span(story_.logprobs);
      if (!std::ranges::equal(world_.logprobs(id),
                              told.first(std::min<std::size_t>(told.size(), case_.tokens))))
        return fmt::format("session {}: log-probabilities are not told once each", id);
    }
    if (world_.slots_used() != 0)
      return fmt::format("{} KV slots are still taken", world_.slots_used());
    if (world_.in_flight() != 0)
      return fmt::format("{} segments never ended", world_.in_flight());
    return std::nullopt;
  }

  RecoveryCase case_;
  const Story& story_;
  PipelineWorld world_;
  std::mt19937_64 random_;
  std::size_t begin_ = world_.deliveries();
};

std::size_t deliveries_of(RecoveryCase c) {
  c.losses.clear();
  Scene scene(c);
  auto wrong = scene.run();
  BOOST_REQUIRE_MESSAGE(!wrong, *wrong);
  return scene.deliveries();
}

std::string text_of(const RecoveryCase& c) {
  std::string text = fmt::format("{} {} seed {}, {} stages, {} homes, {} sessions{}:", c.mode,
                                 c.sampled ? "sampled" : "greedy", c.seed, c.stages, c.homes,
                                 c.sessions, c.in_order ? ", in order" : "");
  for (const Loss& loss : c.losses)
    text += fmt::format(" home {} after {}", loss.home, loss.after);
  return text;
}

/// At most so many failures are shown.
void check(const RecoveryCase& c) {
  static int shown = 0;
  auto wrong = Scene(c).run();
  if (wrong && ++shown > 8)
    return;
  BOOST_CHECK_MESSAGE(!wrong, text_of(c) << ": " << *wrong);
}

/// How many moments of a text are tried: FLOWSPEC_FUZZ_SEEDS times as many.
std::size_t moments() {
  const char* seeds = std::getenv("FLOWSPEC_FUZZ_SEEDS");
  return 10 * static_cast<std::size_t>(seeds != nullptr ? std::max(1, std::atoi(seeds)) : 2);
}

/// Moments spread over a text of so many deliveries.
template <class Act>
void at_moments(std::size_t deliveries, const Act& act) {
  auto stride = std::max<std::size_t>(1, deliveries / moments());
  for (std::size_t moment = 1; moment <= deliveries; moment += stride)
    act(moment);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(recovery)

BOOST_AUTO_TEST_CASE(a_home_that_is_lost_at_any_moment_changes_no_text) {
  for (const std::string mode : {"ar", "chunk-pp", "pruned-pp", "pipedec", "flowspec"}) {
    for (std::uint32_t sessions : {1U, 2U}) {
      RecoveryCase c{.mode = mode, .sessions = sessions, .sampled = sessions == 2};
      at_moments(deliveries_of(c), [&](std::size_t moment) {
        c.seed = moment;
        c.losses = {{moment, static_cast<std::uint32_t>(moment % 3)}};
        check(c);
      });
    }
  }
}

BOOST_AUTO_TEST_CASE(penalties_of_the_answer_go_on_where_it_was) {
  for (const std::string mode : {"ar", "pruned-pp", "flowspec"})
    for (bool sampled : {false, true}) {
      RecoveryCase c{.mode = mode, .tokens = 16, .sampled = sampled, .penalised = true};
      at_moments(deliveries_of(c), [&](std::size_t moment) {
        c.seed = moment;
        c.losses = {{moment, static_cast<std::uint32_t>(moment % 3)}};
        // A new verifier and a new draft have to count the same answer.
        auto odd = static_cast<std::uint32_t>(moment % 2);
        c.part_homes = {odd, 2 - odd, std::nullopt};
        check(c);
      });
    }
}

BOOST_AUTO_TEST_CASE(without_a_spare_another_home_takes_the_layers) {
  RecoveryCase c{.homes = 3, .sessions = 2};
  at_moments(deliveries_of(c), [&](std::size_t moment) {
    c.seed = moment;
    c.losses = {{moment, static_cast<std::uint32_t>(moment % 3)}};
    check(c);
  });
}

BOOST_AUTO_TEST_CASE(two_homes_are_lost_at_once) {
  RecoveryCase c{.stages = 4, .homes = 5, .sessions = 2};
  at_moments(deliveries_of(c), [&](std::size_t moment) {
    c.seed = moment;
    auto first = static_cast<std::uint32_t>(moment % 4);
    c.losses = {{moment, first},
                {moment, (first + 1 + static_cast<std::uint32_t>(moment) % 3) % 4}};
    check(c);
  });
}

BOOST_AUTO_TEST_CASE(a_home_is_lost_while_another_is_recovered) {
  RecoveryCase c{.homes = 5, .sessions = 2};
  auto deliveries = deliveries_of(c);
  for (std::size_t later : {1, 3, 8, 15, 30, 60})
    at_moments(deliveries, [&](std::size_t moment) {
      c.seed = moment + later;
      auto first = static_cast<std::uint32_t>(moment % 3);
      // A spare, which may just have taken the layers, or a home that is still there.
      auto second = moment % 2 == 0 ? 3U : (first + 1) % 3;
      c.losses = {{moment, first}, {moment + later, second}};
      check(c);
    });
}

BOOST_AUTO_TEST_CASE(homes_are_lost_again_and_again) {
  RecoveryCase c{.stages = 3, .homes = 8, .sessions = 2, .tokens = 20};
  auto part = deliveries_of(c) / 6;
  for (std::uint64_t seed = 0; seed < moments(); ++seed) {
    c.seed = seed;
    c.losses = {{part, 0}, {2 * part, 1}, {3 * part, 2}, {4 * part, 3}, {5 * part, 4}};
    check(c);
  }
}

BOOST_AUTO_TEST_CASE(verifier_draft_and_pruner_are_lost_with_their_homes) {
  for (const std::string mode : {"ar", "chunk-pp", "pipedec", "flowspec"})
    for (std::uint32_t sessions : {1U, 2U}) {
      // Each alone on a home without a stage, then two together, then all with a stage.
      RecoveryCase c{.mode = mode, .homes = 7, .sessions = sessions, .sampled = sessions == 2};
      c.part_homes = {3, 4, 5};
      at_moments(deliveries_of(c), [&](std::size_t moment) {
        c.seed = moment;
        auto first = 3 + static_cast<std::uint32_t>(moment % 3);
        c.losses = {{moment, first}};
        if (moment % 2 == 0)
          c.losses.push_back({moment + moment % 7, 3 + (first - 2) % 3});
        check(c);
      });
      c.homes = 5;
      c.part_homes = {2, 2, 2};
      at_moments(deliveries_of(c), [&](std::size_t moment) {
        c.seed = moment;
        c.losses = {{moment, 2}, {moment + 20, 0}};
        check(c);
      });
      c.part_homes = {1, 0, 2};
      at_moments(deliveries_of(c), [&](std::size_t moment) {
        c.seed = moment;
        c.losses = {{moment, static_cast<std::uint32_t>(moment % 3)}};
        check(c);
      });
    }
}

BOOST_AUTO_TEST_CASE(only_the_lost_layers_are_computed_again) {
  RecoveryCase c{.sessions = 1, .tokens = 20, .in_order = true};
  auto moment = deliveries_of(c) / 2;
  auto rows = [&](bool keeps_output, std::uint32_t home) {
    c.keeps_output = keeps_output;
    c.losses = {{moment, home}};
    Scene scene(c);
    auto wrong = scene.run();
    BOOST_CHECK_MESSAGE(!wrong, *wrong);
    return scene.world().rows_computed((home + 1) % 3);
  };
  auto without_loss = [&] {
    c.losses = {};
    Scene scene(c);
    scene.run();
    return scene.world().rows_computed(0);
  }();
  for (std::uint32_t home : {1U, 2U}) {
    auto text = tiny_story(false).prompt.size();
    BOOST_CHECK_LT(rows(true, home), without_loss + text);
    BOOST_CHECK_GE(rows(false, home), rows(true, home) + text / 2);
  }
}

BOOST_AUTO_TEST_CASE(a_stage_that_ends_by_itself_is_made_again) {
  RecoveryCase c{.homes = 3, .sessions = 2};
  auto deliveries = deliveries_of(c);
  at_moments(deliveries, [&](std::size_t moment) {
    c.seed = moment;
    Scene scene(c);
    while (scene.deliveries() < moment && scene.step())
      ;
    scene.world().lose_stage(static_cast<std::uint32_t>(moment % 3));
    auto wrong = scene.run();
    BOOST_CHECK_MESSAGE(!wrong, text_of(c) << " after " << moment << ": " << *wrong);
  });
}

BOOST_AUTO_TEST_CASE(a_link_that_every_part_on_it_tells_of_is_mended_once) {
  RecoveryCase c{.homes = 3, .sessions = 2};
  c.part_homes = {1, 1, 1};
  at_moments(deliveries_of(c), [&](std::size_t moment) {
    c.seed = moment;
    Scene scene(c);
    while (scene.deliveries() < moment && scene.step())
      ;
    // More often than a run recovers in a minute. Stage 1, the pruner and the draft are on home 1.
    for (int i = 0; i < 8; ++i)
      for (std::uint32_t receiver : {0, 1, 2})
        scene.world().cut(0, receiver);
    auto wrong = scene.run();
    BOOST_CHECK_MESSAGE(!wrong, text_of(c) << " after " << moment << ": " << *wrong);
  });
}

// What it still has, and what is still on the way to it, belongs to sessions that nobody knows any more.
BOOST_AUTO_TEST_CASE(a_stage_that_was_given_up_and_goes_on_sending_changes_no_text) {
  for (const std::string mode : {"ar", "flowspec"}) {
    RecoveryCase c{.mode = mode, .homes = 3, .sessions = 2};
    auto deliveries = deliveries_of(c);
    at_moments(deliveries, [&](std::size_t moment) {
      c.seed = moment;
      Scene scene(c);
      while (scene.deliveries() < moment && scene.step())
        ;
      scene.world().give_up_stage(static_cast<std::uint32_t>(moment % 3));
      auto wrong = scene.run();
      BOOST_CHECK_MESSAGE(!wrong, text_of(c) << " after " << moment << ": " << *wrong);
    });
  }
}

BOOST_AUTO_TEST_CASE(when_nobody_is_left_the_text_ends_and_says_why) {
  RecoveryCase c{.stages = 2, .homes = 2, .in_order = true};
  auto moment = deliveries_of(c) / 2;
  c.losses = {{moment, 0}, {moment, 1}};
  Scene scene(c);
  scene.run();
  BOOST_REQUIRE(scene.world().report(1));
  const Report& report = *scene.world().report(1);
  BOOST_CHECK(report.finish == Finish::failed);
  BOOST_CHECK_MESSAGE(report.error.find("node home 0 was lost") == 0 &&
                          report.error.find("no node can take layers") != std::string::npos,
                      report.error);
  BOOST_CHECK(!report.tokens.empty());
}

BOOST_AUTO_TEST_CASE(pauses_are_counted) {
  RecoveryCase c{.in_order = true};
  c.losses = {{deliveries_of(c) / 2, 1}};
  Scene scene(c);
  BOOST_CHECK(!scene.run());
  BOOST_CHECK_EQUAL(scene.world().report(1)->recoveries, 1U);
}

BOOST_AUTO_TEST_CASE(a_session_that_is_cancelled_in_the_pause_ends) {
  RecoveryCase c{.sessions = 2};
  auto moment = deliveries_of(c) / 2;
  for (std::size_t later = 0; later < 40; later += 2) {
    c.seed = later;
    c.losses = {{moment, 1}};
    Scene scene(c);
    while (scene.deliveries() < moment + later && scene.step())
      ;
    scene.world().cancel(1);
    scene.run();
    BOOST_REQUIRE_MESSAGE(scene.world().report(1) && scene.world().report(2),
                          "hangs, cancelled " << later << " later");
    auto finish = scene.world().report(1)->finish;
    BOOST_CHECK(finish == Finish::cancelled || finish == Finish::length);
    BOOST_CHECK(scene.world().report(2)->finish == Finish::length);
    BOOST_CHECK_EQUAL(scene.world().slots_used(), 0U);
  }
}

BOOST_AUTO_TEST_CASE(a_cached_row_that_is_skipped_is_noticed) {
  RecoveryCase c{.in_order = true};
  auto moment = deliveries_of(c) / 2;
  c.losses = {{moment, 1}};
  Scene scene(c);
  scene.world().lose_restored("stage 0 > stage 1");
  scene.run();
  BOOST_REQUIRE(scene.world().report(1));
  const auto& error = scene.world().report(1)->error;
  BOOST_CHECK_MESSAGE(error.find("cached") != std::string::npos, error);
}

BOOST_AUTO_TEST_SUITE_END()
