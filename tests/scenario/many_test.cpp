/// Many requests at once, in KV that is too small for all of them: they wait, share what others have
/// computed, grow, make room for each other and go on later. Every text is the one that is written alone,
/// under every order of messages.

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include "actors/pipeline/session.hpp"
#include "actors/policy/modes/modes.hpp"
#include "tests/scenario/stories.hpp"
#include "tests/support/oracle_draft.hpp"
#include "tests/support/pipeline_world.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

constexpr std::size_t most_deliveries = 400'000;

struct ManyCase {
  std::uint64_t seed = 0;
  std::string mode = "flowspec";
  std::uint32_t stages = 2;
  std::uint32_t sessions = 6;
  bool sampled = false;
  /// KV for so many positions of texts.
  std::uint32_t positions = 160;
  /// A home is lost after so many deliveries; 0: none.
  std::size_t loss_after = 0;
  bool cancels = false;
  /// The coordinator runs seldom, and then handles everything that has come meanwhile.
  bool busy_coordinator = false;
};

WorldOptions options_of(const ManyCase& c, const Story& story) {
  WorldOptions options;
  options.model = story.model;
  options.stages = c.stages;
  options.homes = c.stages + 1;
  options.policy = *mode_policy(c.mode, c.stages);
  options.policy.segment_rows = 8;
  options.policy.draft_width = 4;
  options.policy.top_k = std::min(options.policy.top_k, 4U);
  options.policy.window = c.stages + 1;
  options.policy.max_sent = 20;
  options.policy.adaptive = false;
  options.kv_slots = c.positions + live_slots(options.policy);
  if (options.policy.mode->speculates())
    options.draft = [&story, seed = c.seed] {
      return std::make_unique<OracleDraft>(story.text, story.vocab_size, seed, OracleDraft::Skill{},
                                           0U);
    };
  return options;
}

/// FLOWSPEC_FUZZ_SEEDS sets another number.
std::uint64_t seeds() {
  const char* text = std::getenv("FLOWSPEC_FUZZ_SEEDS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 10;
}

class Crowd {
 public:
  explicit Crowd(const ManyCase& c)
      : case_(c), story_(tiny_story(c.sampled)), world_(options_of(c, story_)), random_(c.seed) {
    for (std::uint32_t i = 0; i < c.sessions; ++i)
      begins_.push_back(i < 2 ? 0 : random_() % 4000);
    std::ranges::sort(begins_);
  }

  PipelineWorld& world() { return world_; }

  std::optional<std::string> run() {
    for (;;) {
      arrive();
      if (case_.loss_after != 0 && deliveries() == case_.loss_after)
        world_.lose_home(0);
      bool any = world_.run_chosen([&](const auto& jobs) { return choose(jobs.size()); });
      if (world_.broken())
        return fmt::format("after {} deliveries: {}", deliveries(), *world_.broken());
      if (deliveries() > most_deliveries)
        return "does not end";
      if (any)
        continue;
      if (begins_.empty())
        return wrong_end();
      begins_.front() = 0;
    }
  }

  /// Loses every home, and then says who has not been told.
  std::optional<std::string> lose_all_after(std::size_t count) {
    for (auto& begin : begins_)
      begin = std::min(begin, count - 1);
    auto run = [&] {
      return world_.run_chosen([&](const auto& jobs) { return choose(jobs.size()); });
    };
    do
      arrive();
    while (deliveries() < count && run());
    for (std::uint32_t home = 0; home <= case_.stages; ++home)
      world_.lose_home(home);
    while (run() && deliveries() <= most_deliveries) {
    }
    for (const auto& [id, asked] : asked_)
      if (!world_.report(id))
        return fmt::format("session {} hangs", id);
    return std::nullopt;
  }

  std::size_t deliveries() const { return world_.deliveries() - first_; }

 private:
  struct Asked {
    std::uint32_t tokens;
    bool cancelled;
  };

  std::size_t choose(std::size_t jobs) {
    auto is_coordinator = [&](std::size_t job) { return world_.actor_of(job) == "coordinator"; };
    if (coordinator_runs_)
      for (std::size_t job = 0; job < jobs; ++job)
        if (is_coordinator(job))
          return job;
    auto chosen = random_() % jobs;
    for (int i = 0; case_.busy_coordinator && i < 20 && is_coordinator(chosen); ++i)
      chosen = random_() % jobs;
    coordinator_runs_ = case_.busy_coordinator && is_coordinator(chosen);
    return chosen;
  }

  void arrive() {
    while (!begins_.empty() && begins_.front() <= deliveries()) {
      begins_.erase(begins_.begin());
      auto size = story_.prompt.size() + random_() % 40;
      auto most = std::min<std::size_t>(story_.text.size() - size, case_.positions - size);
      auto tokens = static_cast<std::uint32_t>(1 + random_() % most);
      auto begin = story_.text.begin();
      auto id =
          world_.submit({begin, begin + static_cast<std::ptrdiff_t>(size)}, tokens, story_.sampling,
                        story_.text, {.keep = random_() % 4 != 0, .grows = random_() % 4 != 0});
      asked_[id] = {tokens, false};
    }
    if (case_.cancels && random_() % 300 == 0 && !asked_.empty()) {
      auto it = asked_.begin();
      std::advance(it, random_() % asked_.size());
      it->second.cancelled = true;
      world_.cancel(it->first);
    }
  }

  std::optional<std::string> wrong_end() {
    for (const auto& [id, asked] : asked_) {
      if (!world_.report(id))
        return fmt::format("session {} hangs", id);
      const Report& report = *world_.report(id);
      bool is_cancelled = asked.cancelled && report.finish == Finish::cancelled;
      if (report.finish != Finish::length && !is_cancelled)
        return fmt::format("session {} ended with {}: {}", id, static_cast<int>(report.finish),
                           report.error);
      auto first = story_.text.begin() + static_cast<std::ptrdiff_t>(report.prompt_tokens);
      auto count = is_cancelled ? report.tokens.size() : asked.tokens;
      if (report.tokens != std::vector<Token>(first, first + static_cast<std::ptrdiff_t>(count)))
        return fmt::format("session {}: another text", id);
    }
    for (SessionId number = 1; number < 1000; ++number)
      world_.evict(number);
    world_.run();
    if (world_.slots_used() != 0)
      return fmt::format("{} KV slots are still taken", world_.slots_used());
    if (world_.in_flight() != 0)
      return fmt::format("{} segments never ended", world_.in_flight());
    return std::nullopt;
  }

  ManyCase case_;
  const Story& story_;
  PipelineWorld world_;
  std::mt19937_64 random_;
  std::vector<std::size_t> begins_;
  std::map<SessionId, Asked> asked_;
  bool coordinator_runs_ = false;
  std::size_t first_ = world_.deliveries();
};

void check(const ManyCase& c) {
  Crowd crowd(c);
  auto wrong = crowd.run();
  BOOST_CHECK_MESSAGE(
      !wrong,
      fmt::format("{} seed {}, {} stages, {} sessions, {} positions, {}, "
                  "loss after {}{}{}: {}",
                  c.mode, c.seed, c.stages, c.sessions, c.positions,
                  c.sampled ? "sampled" : "greedy", c.loss_after, c.cancels ? ", cancels" : "",
                  c.busy_coordinator ? ", busy coordinator" : "", wrong.value_or("")));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(many)

BOOST_AUTO_TEST_CASE(texts_that_do_not_fit_together_are_those_that_are_written_alone) {
  for (std::uint64_t seed = 1; seed <= 4 * seeds(); ++seed)
    for (std::uint32_t positions : {96U, 160U, 400U})
      check({.seed = seed,
             .mode = seed % 3 == 0 ? "ar" : "flowspec",
             .sampled = seed % 2 == 0,
             .positions = positions,
             .busy_coordinator = seed % 4 > 1});
}

BOOST_AUTO_TEST_CASE(clients_that_go_away_disturb_nobody) {
  for (std::uint64_t seed = 1; seed <= 4 * seeds(); ++seed)
    check({.seed = seed,
           .sessions = 8,
           .positions = 112,
           .cancels = true,
           .busy_coordinator = seed % 2 == 0});
}

BOOST_AUTO_TEST_CASE(a_lost_home_is_a_pause_for_all_of_them) {
  for (std::uint64_t seed = 1; seed <= 4 * seeds(); ++seed)
    check({.seed = seed,
           .stages = 2 + static_cast<std::uint32_t>(seed % 2),
           .sampled = seed % 2 == 0,
           .positions = seed % 3 == 0 ? 400U : 128U,
           .loss_after = 100 + 97 * seed % 1500,
           .busy_coordinator = seed % 4 > 1});
}

/// Those that run, wait, and have made room for others.
BOOST_AUTO_TEST_CASE(a_pipeline_that_is_lost_for_good_leaves_nobody_waiting) {
  for (std::uint64_t seed = 1; seed <= 4 * seeds(); ++seed) {
    Crowd crowd({.seed = seed, .sessions = 8, .positions = 112});
    auto lost = crowd.lose_all_after(50 + 61 * seed % 1500);
    BOOST_CHECK_MESSAGE(!lost, fmt::format("seed {}: {}", seed, lost.value_or("")));
  }
}

/// Whoever begins alike computes the beginning once, on every stage, although all come at once.
BOOST_AUTO_TEST_CASE(a_common_prompt_is_computed_once_on_every_stage) {
  const Story& story = long_story(false);
  auto options = options_of({.positions = 8000}, story);
  PipelineWorld world{options};
  auto begin = story.text.begin();
  constexpr std::uint32_t requests = 20;
  constexpr std::uint32_t written = 4;
  for (std::uint32_t i = 0; i < requests; ++i)
    world.submit({begin, begin + static_cast<std::ptrdiff_t>(story.prompt.size() + i)}, written,
                 story.sampling, story.text, {.keep = true, .grows = true});
  world.run();
  std::size_t cached = 0;
  for (SessionId id = 1; id <= requests; ++id) {
    BOOST_REQUIRE(world.report(id).has_value());
    BOOST_TEST((world.report(id)->finish == Finish::length), world.report(id)->error);
    cached += world.report(id)->cached_tokens;
  }
  // Nobody waits for the last block alone.
  BOOST_TEST(cached >= (requests - 1) * (story.prompt.size() / 16 - 1) * 16);
  for (std::uint32_t stage = 0; stage < options.stages; ++stage) {
    // What is not common: less than a block and what is written, and guesses.
    auto rows = world.rows_computed(stage);
    BOOST_TEST(rows >= story.prompt.size());
    BOOST_TEST(rows < story.prompt.size() + requests * (2 * 16 + requests / 2 + 8 * written));
  }
}

BOOST_AUTO_TEST_CASE(what_can_never_fit_is_refused_with_the_figures) {
  const Story& story = tiny_story(false);
  PipelineWorld world{options_of({.positions = 64}, story)};
  auto refusal = world.refusal(story.prompt, 100);
  BOOST_TEST(refusal.find("KV for 64 tokens of all texts") != std::string::npos, refusal);
}

BOOST_AUTO_TEST_SUITE_END()
