/// Single schedules, told message by message: what must happen when a prune overtakes a segment,
/// when credits run out, when a message is garbage, and so on.
#define BOOST_TEST_MODULE scripted_schedules
#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>

#include "actors/policy/modes/modes.hpp"
#include "actors/type_ids.hpp"
#include "messages/segment_writer.hpp"
#include "tests/scenario/stories.hpp"
#include "tests/support/oracle_draft.hpp"
#include "tests/support/pipeline_world.hpp"

namespace flowspec::test {
namespace {

constexpr std::uint32_t tokens = 24;

/// Two stages, segments of at most eight rows, three in flight.
WorldOptions two_stages(OracleDraft::Skill skill) {
  const Story& story = tiny_story(false);
  WorldOptions options;
  options.model = story.model;
  options.stages = 2;
  options.policy = *mode_policy("flowspec", 2);
  options.policy.adaptive = false;
  options.policy.window = 3;
  options.policy.segment_rows = 8;
  options.policy.draft_width = 4;
  options.policy.top_k = 4;
  options.draft = [&story, skill] {
    return std::make_unique<OracleDraft>(story.text, story.vocab_size, 1, skill);
  };
  return options;
}

constexpr OracleDraft::Skill always_right{1, 0};
constexpr OracleDraft::Skill always_wrong{0, 0};

SessionId submit(PipelineWorld& world) {
  const Story& story = tiny_story(false);
  return world.submit(story.prompt, tokens, story.sampling, story.text);
}

void check_story(const PipelineWorld& world, SessionId session) {
  const Story& story = tiny_story(false);
  BOOST_TEST(world.broken().value_or("") == "");
  BOOST_REQUIRE(world.report(session).has_value());
  const Report& report = *world.report(session);
  BOOST_TEST(report.error == "");
  auto first = story.text.begin() + static_cast<std::ptrdiff_t>(story.prompt.size());
  BOOST_TEST(report.tokens == std::vector<Token>(first, first + tokens),
             boost::test_tools::per_element());
  BOOST_TEST(world.slots_used() == 0);
}

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
  const std::string slow = "stage 0 > stage 1";
  do
    world.run({slow});
  while (world.pass(slow));
  check_story(world, session);
  BOOST_TEST(world.hop(1).stats.rows_dropped > 0);
  BOOST_TEST(world.hop(1).stats.rows_computed < world.hop(0).stats.rows_computed);
}

BOOST_AUTO_TEST_CASE(a_prune_may_kill_all_that_is_in_flight) {
  PipelineWorld world{two_stages(always_wrong)};
  auto session = submit(world);
  const std::string slow = "stage 0 > stage 1";
  do
    world.run({slow});
  while (world.pass(slow));
  check_story(world, session);
  // Segments that were empty at stage 1 ended there.
  BOOST_TEST(world.hop(1).stats.segments < world.hop(0).stats.segments);
}

BOOST_AUTO_TEST_CASE(a_segment_that_overtakes_its_prune_is_computed_in_the_older_view) {
  PipelineWorld world{two_stages(always_wrong)};
  auto session = submit(world);
  // Nothing goes to the hops directly: prunes reach them only on the back of segments.
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

BOOST_AUTO_TEST_CASE(a_walk_that_is_no_chain_from_the_root_ends_its_session_only) {
  PipelineWorld world{two_stages(always_right)};
  auto first = submit(world);
  auto second = submit(world);
  world.settle();
  world.deliver("pruner > draft");
  AcceptedPath wrong{first, 0, {{99, no_node, 0}}, 5};
  caf::anon_send(world.channel("verifier > pruner"), VerdictMessage{{{wrong}, {}}});
  world.deliver("verifier > pruner");
  world.run();
  BOOST_TEST((world.report(first)->finish == Finish::failed));
  BOOST_TEST(world.report(first)->error.find("does not start at root") != std::string::npos);
  check_story(world, second);
}

BOOST_AUTO_TEST_CASE(a_cancelled_session_frees_its_slots_while_another_goes_on) {
  PipelineWorld world{two_stages(always_right)};
  auto first = submit(world);
  auto second = submit(world);
  world.settle();
  world.deliver("pruner > draft");
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

BOOST_AUTO_TEST_CASE(a_session_with_the_number_of_another_fails_and_leaves_that_one_alone) {
  for (bool cancelled : {false, true}) {
    PipelineWorld world{two_stages(always_right)};
    const Story& story = tiny_story(false);
    auto first = submit(world);
    world.settle();
    world.deliver("pruner > draft");
    auto second =
        world.submit(story.prompt, tokens, story.sampling, story.text, {.same_number_as = first});
    if (cancelled)
      world.cancel(second);
    world.settle();
    BOOST_REQUIRE(world.report(second).has_value());
    if (!cancelled)
      BOOST_TEST(world.report(second)->error == "the session id is taken");
    BOOST_TEST(!world.report(first).has_value());
    world.run();
    check_story(world, first);
  }
}

BOOST_AUTO_TEST_CASE(a_session_beyond_the_bounds_of_its_message_fails_at_once_with_the_figures) {
  PipelineWorld world{two_stages(always_right)};
  const Story& story = tiny_story(false);
  auto session =
      world.submit(story.prompt, tokens, story.sampling, story.text, {.position_limit = 5'000'000});
  world.settle();
  BOOST_REQUIRE(world.report(session).has_value());
  const Report& report = *world.report(session);
  BOOST_TEST((report.finish == Finish::failed));
  BOOST_TEST(report.error.find("KV slots: 5000") != std::string::npos, report.error);
  BOOST_TEST(report.error.find("4194304") != std::string::npos, report.error);
  BOOST_TEST(world.waiting().empty());
}

BOOST_AUTO_TEST_CASE(a_request_that_cannot_be_read_is_told_to_its_client) {
  PipelineWorld world{two_stages(always_right)};
  auto words = std::make_shared<std::uint64_t[]>(16);
  auto told = world.fault_of(OpenMessage{WireBuffer{words, 16}});
  BOOST_TEST(told.find("Open") != std::string::npos, told);
}

/// Two stages and a computation that fails at one place while the test wants it to.
struct Failing {
  WorldOptions options = two_stages(always_right);
  std::uint32_t fails_at = not_a_stage;

  Failing() {
    options.before_compute = [this](std::uint32_t stage) {
      if (stage == fails_at)
        throw std::runtime_error("out of memory");
    };
  }
};

BOOST_AUTO_TEST_CASE(a_computation_that_fails_ends_the_session_it_was_for_and_no_other) {
  for (std::uint32_t stage : {0U, 1U, 2U}) {
    Failing failing;
    PipelineWorld world{failing.options};
    failing.fails_at = stage;
    auto first = submit(world);
    world.run();
    BOOST_REQUIRE(world.report(first).has_value());
    BOOST_TEST((world.report(first)->finish == Finish::failed));
    auto who = stage < 2 ? "stage " + std::to_string(stage) : "the verifier";
    auto expected = who + ": could not compute: out of memory";
    BOOST_TEST(world.report(first)->error == expected);
    failing.fails_at = not_a_stage;
    auto second = submit(world);
    world.run();
    check_story(world, second);
  }
}

/// Knows the story, unless it is to fail.
class FailingDraft : public OracleDraft {
 public:
  explicit FailingDraft(const bool& fails)
      : OracleDraft(tiny_story(false).text, tiny_story(false).vocab_size, 1, always_right),
        fails_(fails) {}
  void forward(std::span<const DraftRow> rows, std::span<const float> features_in,
               std::uint32_t top_k, std::span<Candidate> candidates,
               std::span<float> features_out) override {
    if (fails_)
      throw std::runtime_error("out of memory");
    OracleDraft::forward(rows, features_in, top_k, candidates, features_out);
  }

 private:
  const bool& fails_;
};

BOOST_AUTO_TEST_CASE(a_draft_forward_that_fails_ends_its_sessions_and_no_others) {
  bool fails = true;
  auto options = two_stages(always_right);
  options.draft = [&] { return std::make_unique<FailingDraft>(fails); };
  PipelineWorld world{options};
  auto first = submit(world);
  world.run();
  BOOST_REQUIRE(world.report(first).has_value());
  BOOST_TEST(world.report(first)->error == "the draft could not compute: out of memory");
  fails = false;
  auto second = submit(world);
  world.run();
  check_story(world, second);
}

BOOST_AUTO_TEST_CASE(a_failed_forward_does_not_lose_the_prunes_of_other_sessions) {
  Failing failing;
  failing.options.holds_drafting = true;
  PipelineWorld world{failing.options};
  // Prunes come by the slow way only.
  const std::set<std::string> slow{"pruner > stage 0", "pruner > stage 1", "pruner > verifier"};
  auto and_drafting = slow;
  and_drafting.insert("draft > draft");
  auto first = submit(world);
  world.run(and_drafting);  // its prompt is read, and its root waits for guesses
  failing.fails_at = 0;
  const Story& story = long_story(false);
  auto second = world.submit(story.prompt, tokens, story.sampling, story.text);
  world.run(and_drafting);
  BOOST_REQUIRE(world.report(second).has_value());
  BOOST_TEST((world.report(second)->finish == Finish::failed));
  failing.fails_at = not_a_stage;
  world.run(slow);
  check_story(world, first);
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
  for (bool has_relays : {false, true}) {
    auto options = two_stages(always_right);
    options.policy.late = false;
    options.has_relays = has_relays;
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
}

BOOST_AUTO_TEST_CASE(garbage_is_counted_and_changes_nothing) {
  PipelineWorld world{two_stages(always_right)};
  auto session = submit(world);
  world.settle();
  auto words = std::make_shared<std::uint64_t[]>(16);
  for (std::size_t i = 0; i < 16; ++i)
    words[i] = 0x9e3779b97f4a7c15U * (i + 1);
  caf::anon_send(world.channel("stage 0 > stage 1"), SegmentMessage{WireBuffer{words, 16}});
  caf::anon_send(world.channel("pruner > stage 1"), PrunesMessage{WireBuffer{words, 3}});
  world.run();
  check_story(world, session);
  BOOST_TEST(world.hop(1).stats.malformed == 2);
}

BOOST_AUTO_TEST_CASE(hidden_states_of_another_size_end_the_session_they_belong_to) {
  PipelineWorld world{two_stages(always_right)};
  auto first = submit(world);
  auto second = submit(world);
  world.settle();
  world.deliver("pruner > draft");
  world.deliver("pruner > draft");
  world.deliver("draft > stage 0");
  world.deliver("stage 0 > stage 1");  // Open of the first session
  Row row{first, 1, no_node, 1, 0};
  SegmentWriter writer{1000000, {&row, 1}, 5, {}};
  caf::anon_send(world.channel("stage 0 > stage 1"), std::move(writer).finish());
  world.run();
  BOOST_REQUIRE(world.report(first).has_value());
  BOOST_TEST((world.report(first)->finish == Finish::failed));
  BOOST_TEST(world.report(first)->error.find("hidden states of 1 x 5, expected 1 x 16") !=
             std::string::npos);
  check_story(world, second);
}

BOOST_AUTO_TEST_CASE(a_repeated_node_id_ends_the_session_it_belongs_to) {
  PipelineWorld world{two_stages(always_right)};
  auto first = submit(world);
  auto second = submit(world);
  world.settle();
  world.deliver("pruner > draft");
  world.deliver("draft > stage 0");
  Segment twice;
  twice.id = 1000000;
  twice.rows = {{first, 1, no_node, 1, 0}, {first, 1, no_node, 1, 0}};
  caf::anon_send(world.channel("draft > stage 0"), SegmentMessage{twice});
  world.run();
  BOOST_TEST((world.report(first)->finish == Finish::failed));
  BOOST_TEST(world.report(first)->error.find("sent twice") != std::string::npos);
  check_story(world, second);
}

BOOST_AUTO_TEST_CASE(
    a_lost_segment_ends_its_session_at_the_progress_limit_and_gives_its_credit_back) {
  auto options = two_stages(always_right);
  PipelineWorld world{options};
  // As often as there are credits: if one were lost for good, the next session would hang.
  for (std::uint32_t lost = 0; lost < options.policy.window; ++lost) {
    auto session = submit(world);
    world.settle();
    world.deliver("pruner > draft");
    world.deliver("draft > stage 0");
    world.deliver("stage 0 > stage 1");
    world.lose_next("stage 0 > stage 1");
    world.run();
    BOOST_TEST(!world.report(session).has_value());
    world.advance(std::chrono::minutes(2));
    world.run();
    BOOST_REQUIRE(world.report(session).has_value());
    BOOST_TEST((world.report(session)->finish == Finish::failed));
    BOOST_TEST(world.report(session)->error.find("is the oldest of 1 in flight") !=
               std::string::npos);
  }
  auto next = submit(world);
  world.run();
  check_story(world, next);
}

}  // namespace
}  // namespace flowspec::test
