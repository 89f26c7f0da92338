#include "tests/scenario/schedule_case.hpp"

#include <algorithm>
#include <map>
#include <random>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "actors/policy/ablations.hpp"
#include "actors/policy/modes/modes.hpp"
#include "tests/scenario/stories.hpp"
#include "tests/support/oracle_draft.hpp"
#include "tests/support/pipeline_world.hpp"

namespace flowspec::test {

namespace {

constexpr std::size_t most_deliveries = 200000;

/// Chooses the next job of a world.
class Scheduler {
 public:
  explicit Scheduler(const ScheduleCase& c) : case_(c), random_(c.seed ^ 0x5eed) {}

  std::size_t choose(const std::vector<const std::string*>& channels) {
    if (++choices_ > case_.wild)
      return 0;
    allowed_.clear();
    for (std::size_t i = 0; i < channels.size(); ++i)
      if (std::ranges::find(case_.starved, *channels[i]) == case_.starved.end())
        allowed_.push_back(i);
    if (allowed_.empty())
      return random_() % channels.size();
    switch (case_.order) {
      case Order::newest:
        return allowed_.back();
      case Order::oldest:
        return allowed_.front();
      case Order::ranked:
        return best_rank(channels);
      case Order::random:
        break;
    }
    return allowed_[random_() % allowed_.size()];
  }

  /// Mostly 0; at times so long that work in progress looks slow.
  std::chrono::milliseconds pause() {
    constexpr std::uint64_t seldom = 8;
    constexpr std::uint64_t longest = 40;
    return std::chrono::milliseconds(random_() % seldom == 0 ? random_() % longest : 0);
  }

 private:
  std::size_t best_rank(const std::vector<const std::string*>& channels) {
    constexpr std::uint64_t change = 40;
    if (random_() % change == 0)
      rank_[*channels[allowed_[random_() % allowed_.size()]]] = random_();
    auto rank = [&](std::size_t i) {
      return rank_.try_emplace(*channels[i], random_()).first->second;
    };
    return *std::ranges::max_element(allowed_, {}, rank);
  }

  const ScheduleCase& case_;
  std::mt19937_64 random_;
  std::size_t choices_ = 0;
  std::map<std::string, std::uint64_t> rank_;
  std::vector<std::size_t> allowed_;
};

OracleDraft::Skill skill_of(Knowledge knowledge) {
  switch (knowledge) {
    case Knowledge::all:
      return {1, 0};
    case Knowledge::nothing:
      return {0, 0};
    case Knowledge::usual:
    case Knowledge::head:
      break;
  }
  return {};
}

const Story& story_of(const ScheduleCase& c) {
  if (c.knowledge == Knowledge::head)
    return c.penalised ? penalised_embedded_story(c.sampled) : embedded_story(c.sampled);
  if (c.penalised)
    return penalised_story(c.sampled);
  return c.ends ? ending_story(c.sampled) : tiny_story(c.sampled);
}

const Story& story_of(const ScheduleCase& c, SessionId id) {
  return c.late > 0 && id == 1 ? long_story(c.sampled) : story_of(c);
}

/// In the story's five layers: the beginning, the middle and the very end.
std::vector<std::uint32_t> taps_of(const ScheduleCase& c) {
  return c.features && c.taps ? std::vector<std::uint32_t>{0, 2, 3, 5}
                              : std::vector<std::uint32_t>{};
}

WorldOptions world_options(const ScheduleCase& c) {
  std::mt19937_64 random{c.seed};
  const Story& story = story_of(c);
  WorldOptions options;
  options.model = story.model;
  options.stages = c.stages;
  options.knows_end = c.ends;
  options.policy = *mode_policy(c.mode, c.stages);
  if (!c.ablation.empty())
    options.policy = *without(c.ablation, options.policy, c.stages);
  // Small numbers, so that credits run out and segments are cut.
  options.policy.segment_rows = 8;
  options.policy.draft_width = 4;
  options.policy.top_k = std::min(options.policy.top_k, 4U);  // chains stay chains
  options.policy.window = 1 + random() % (c.stages + 2);
  options.policy.min_drafts_before_send = random() % 3;
  options.policy.adaptive = options.policy.adaptive && c.adaptive;
  auto skill_seed = random();
  if (c.knowledge == Knowledge::head && options.policy.mode->speculates())
    options.draft = embedded_head;
  else if (options.policy.mode->speculates())
    options.draft = [&story, skill_seed, skill = skill_of(c.knowledge),
                     size = c.features ? story.hidden_size : 0, taps = taps_of(c)] {
      auto draft =
          std::make_unique<OracleDraft>(story.text, story.vocab_size, skill_seed, skill, size);
      draft->set_taps(taps);
      return draft;
    };
  options.send_features = c.features && !c.taps;
  options.taps = taps_of(c);
  return options;
}

/// What is wrong with the end of one session.
std::optional<std::string> wrong_end(const ScheduleCase& c, SessionId id, const Report& report) {
  const Story& story = story_of(c, id);
  if (report.finish == Finish::failed)
    return fmt::format("session {} failed: {}", id, report.error);
  bool cancelled = id == 1 && c.cancel_after != 0 && report.finish == Finish::cancelled;
  auto length = c.ends ? std::min(c.tokens, story.length) : c.tokens;
  bool at_end = c.ends && story.length <= c.tokens;
  if (!cancelled && report.finish != (at_end ? Finish::end_of_text : Finish::length))
    return fmt::format("session {} ended for another reason: {}", id,
                       static_cast<int>(report.finish));
  auto first = story.text.begin() + static_cast<std::ptrdiff_t>(report.prompt_tokens);
  auto count = cancelled ? std::min<std::size_t>(report.tokens.size(), length) : length;
  if (report.tokens != std::vector<Token>(first, first + static_cast<std::ptrdiff_t>(count)))
    return fmt::format("session {}: other tokens than plain decoding", id);
  return std::nullopt;
}

/// Of every token once, also of the last one, and the same as in plain decoding.
std::optional<std::string> wrong_logprobs(const Story& story, SessionId id, const Report& report,
                                          const std::vector<TokenLogprob>& told) {
  auto expected = std::span(story.logprobs);
  expected = expected.first(std::min(expected.size(), report.tokens.size()));
  if (std::ranges::equal(told, expected))
    return std::nullopt;
  return fmt::format("session {}: {} log-probabilities, not those of plain decoding", id,
                     told.size());
}

/// The users of the pipeline: they start sessions, each followed by others that continue its text.
class Users {
 public:
  Users(const ScheduleCase& c, PipelineWorld& world)
      : case_(c), story_(story_of(c)), world_(world), random_(c.seed ^ 0x7a1c) {
    submit(c.late > 0 ? 1 : c.sessions);
  }

  /// Sessions so far.
  std::uint32_t count() const { return count_; }

  /// Starts the next session where one has ended, and late sessions when it is their time.
  void look() {
    if (case_.late > 0 && world_.deliveries() >= case_.late && count_ < case_.sessions)
      submit(case_.sessions - count_);
    for (auto& [session, turns] : open_) {
      if (turns == 0 || !world_.report(session))
        continue;
      const Report& report = *world_.report(session);
      if (report.finish == Finish::failed) {
        turns = 0;
        continue;
      }
      --turns;
      // The prompt is the text so far or a prefix of it; the session reuses as much cached KV as
      // possible, or less.
      auto text = report.prompt_tokens + report.tokens.size();
      auto least = story_.prompt.size();
      auto size = static_cast<Position>(least + random_() % (text - least + 1));
      auto most = std::min(text, std::size_t{size}) - 1;
      auto kept = static_cast<Position>(random_() % 2 == 0 ? most : random_() % (most + 1));
      if (report.tokens.empty())
        kept = 0;  // cancelled while the prompt was read
      auto begin = story_.text.begin();
      session = world_.submit({begin, begin + size}, case_.tokens, story_.sampling, story_.text,
                              {session, kept, turns > 0});
      ++count_;
    }
  }

  /// When all have ended: nobody goes on with what they have left.
  void forget_kept() {
    for (SessionId id = 1; id <= count_; ++id)
      world_.evict(id);
    world_.run();
  }

 private:
  struct Turn {
    SessionId session;
    std::uint32_t turns_left;
  };

  void submit(std::uint32_t sessions) {
    for (std::uint32_t i = 0; i < sessions; ++i) {
      const Story& story = story_of(case_, ++count_);
      auto id = world_.submit(story.prompt, case_.tokens, story.sampling, story.text,
                              {no_session, 0, case_.turns > 1});
      open_.push_back({id, case_.turns - 1});
    }
  }

  const ScheduleCase& case_;
  const Story& story_;
  PipelineWorld& world_;
  std::mt19937_64 random_;
  std::vector<Turn> open_;
  std::uint32_t count_ = 0;
};

}  // namespace

std::optional<std::string> failure(const ScheduleCase& c) {
  PipelineWorld world{world_options(c)};
  Users users{c, world};
  Scheduler scheduler(c);
  while (world.deliveries() < most_deliveries &&
         world.run_chosen([&](const auto& channels) { return scheduler.choose(channels); })) {
    if (world.broken())
      return fmt::format("after {} deliveries: {}", world.deliveries(), *world.broken());
    if (c.adaptive)
      world.advance(scheduler.pause());
    if (c.cancel_after != 0 && world.deliveries() == c.cancel_after)
      world.cancel(1);
    users.look();
  }
  if (world.deliveries() >= most_deliveries)
    return "does not end";
  for (SessionId id = 1; id <= users.count(); ++id) {
    if (!world.report(id))
      return fmt::format("session {} hangs: no message is left", id);
    if (auto wrong = wrong_end(c, id, *world.report(id)))
      return wrong;
    if (auto wrong = wrong_logprobs(story_of(c, id), id, *world.report(id), world.logprobs(id)))
      return wrong;
  }
  users.forget_kept();
  if (world.slots_used() != 0)
    return fmt::format("{} KV slots are still taken", world.slots_used());
  return std::nullopt;
}

std::string describe(const ScheduleCase& c) {
  constexpr const char* orders[] = {"random", "newest", "oldest", "ranked"};
  constexpr const char* knowledge[] = {"usual", "all", "nothing", "head"};
  std::string text = fmt::format(
      "{{.seed = {}, .mode = \"{}\", .ablation = \"{}\", .stages = {}, .sessions = {}, .tokens = "
      "{}, .turns = {}, .late = {}, .sampled = {}, .penalised = {}, "
      ".ends = {}, .features = {}, .taps = {}, .adaptive = {}, .knowledge = Knowledge::{}, .order "
      "= Order::{}",
      c.seed, c.mode, c.ablation, c.stages, c.sessions, c.tokens, c.turns, c.late, c.sampled,
      c.penalised, c.ends, c.features, c.taps, c.adaptive, knowledge[static_cast<int>(c.knowledge)],
      orders[static_cast<int>(c.order)]);
  if (!c.starved.empty())
    text += fmt::format(", .starved = {{\"{}\"}}", fmt::join(c.starved, "\", \""));
  if (c.cancel_after != 0)
    text += fmt::format(", .cancel_after = {}", c.cancel_after);
  if (c.wild <= most_deliveries)
    text += fmt::format(", .wild = {}", c.wild);
  return text + "}";
}

ScheduleCase shrink(ScheduleCase failing) {
  auto simpler = [](const ScheduleCase& c) {
    std::vector<ScheduleCase> all;
    auto with = [&](bool possible, auto change) {
      if (possible)
        change(all.emplace_back(c));
    };
    using Case = ScheduleCase;
    with(c.sessions > 1, [](Case& x) { --x.sessions; });
    with(!c.ablation.empty(), [](Case& x) { x.ablation.clear(); });
    with(c.stages > 1, [](Case& x) { --x.stages; });
    with(c.turns > 1, [](Case& x) { --x.turns; });
    with(c.late > 0, [](Case& x) { x.late = 0; });
    with(c.tokens > 1, [](Case& x) { x.tokens /= 2; });
    with(c.tokens > 1, [](Case& x) { --x.tokens; });
    with(c.sampled, [](Case& x) { x.sampled = false; });
    with(c.penalised, [](Case& x) { x.penalised = false; });
    with(c.ends, [](Case& x) { x.ends = false; });
    with(c.taps, [](Case& x) { x.taps = false; });
    with(c.features, [](Case& x) { x.features = false; });
    with(c.adaptive, [](Case& x) { x.adaptive = false; });
    with(!c.starved.empty(), [](Case& x) { x.starved.pop_back(); });
    with(c.cancel_after > 0, [](Case& x) { x.cancel_after = 0; });
    with(c.knowledge != Knowledge::all, [](Case& x) { x.knowledge = Knowledge::all; });
    with(c.order != Order::random && c.order != Order::oldest,
         [](Case& x) { x.order = Order::random; });
    // The first that has to come in another order than that of sending.
    auto wild = std::min(c.wild, most_deliveries);
    for (std::size_t part : {wild / 2, wild - wild / 4, wild - std::min<std::size_t>(wild, 1)})
      with(part < wild, [part](Case& x) { x.wild = part; });
    return all;
  };
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (const ScheduleCase& candidate : simpler(failing))
      if (failure(candidate)) {
        failing = candidate;
        smaller = true;
        break;
      }
  }
  return failing;
}

void expect_plain_text(const ScheduleCase& c) {
  auto error = failure(c);
  if (!error) {
    BOOST_TEST(true);
    return;
  }
  auto small = shrink(c);
  BOOST_ERROR(describe(c) + ": " + *error + "\n  shrunk to: " + describe(small) + ": " +
              failure(small).value_or("(does not fail)"));
}

}  // namespace flowspec::test
