/// Schedules in which something fails: computations, and messages that are garbage, wrong or lost.
/// A failure ends its own session and no other.
#include <new>
#include <utility>

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>

#include "actors/type_ids.hpp"
#include "messages/segment_writer.hpp"
#include "tests/scenario/two_stages.hpp"

namespace flowspec::test {
namespace {

BOOST_FIXTURE_TEST_CASE(a_walk_that_is_no_chain_from_the_root_ends_its_session_only, TwoSessions) {
  AcceptedPath wrong{first, 0, {{99, no_node, 0}}, 5};
  caf::anon_send(world.channel("verifier > pruner"), VerdictMessage{{{wrong}, {}}});
  world.deliver("verifier > pruner");
  world.run();
  BOOST_TEST((world.report(first)->finish == Finish::failed));
  BOOST_TEST(world.report(first)->error.find("does not start at root") != std::string::npos);
  check_story(world, second);
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
  auto session = world.submit(story.prompt, 5'000'000, story.sampling, story.text);
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

/// Two stages, and a computation that fails at one place while the test says so.
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

BOOST_AUTO_TEST_CASE(where_the_draft_has_no_room_texts_go_on_with_fewer_guesses) {
  for (std::uint32_t slots : {1U, 20U, 40U}) {
    auto options = two_stages(always_right);
    options.draft_kv_slots = slots;
    PipelineWorld world{options};
    auto first = submit(world);
    auto second = submit(world);
    world.run();
    check_story(world, first);
    check_story(world, second);
  }
}

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

BOOST_FIXTURE_TEST_CASE(hidden_states_of_another_size_end_the_session_they_belong_to, TwoSessions) {
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

BOOST_AUTO_TEST_CASE(hidden_states_of_another_type_end_the_session_they_belong_to) {
  for (const std::string channel : {"stage 0 > stage 1", "stage 1 > verifier"})
    BOOST_TEST_CONTEXT(channel) {
      TwoSessions here;
      auto& [world, first, second] = here;
      world.deliver("pruner > draft");
      for (const char* hop : {"draft > stage 0", "stage 0 > stage 1", "stage 1 > verifier"}) {
        world.deliver(hop);  // Open of the first session
        if (hop == channel)
          break;
      }
      Row row{first, 1, no_node, 1, 0};
      SegmentWriter writer{1000000, {&row, 1}, 16, {}, false, HiddenType::bf16};
      caf::anon_send(world.channel(channel), std::move(writer).finish());
      world.run();
      BOOST_REQUIRE(world.report(first).has_value());
      BOOST_TEST((world.report(first)->finish == Finish::failed));
      BOOST_TEST(world.report(first)->error.find("hidden states in bf16, f32 was agreed") !=
                 std::string::npos);
      check_story(world, second);
    }
}

BOOST_FIXTURE_TEST_CASE(a_repeated_node_id_ends_the_session_it_belongs_to, TwoSessions) {
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
