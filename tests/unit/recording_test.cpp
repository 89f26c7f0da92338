/// What is counted of the work that emulated devices recorded.

#include "runtime/bench/recording.hpp"

#include <boost/test/unit_test.hpp>

#include "runtime/bench/summary.hpp"

using namespace flowspec;

namespace {

using Seconds = std::chrono::seconds;

constexpr TreeNodeId fresh = first_fresh_node;

Row row(SessionId session, TreeNodeId id, Position position) {
  return {session, id, no_node, 0, position};
}

/// @param position  of the new root.
Prune prune(SessionId session, std::vector<TreeNodeId> path, Position position) {
  return {session, 1, std::move(path), row(session, fresh, position)};
}

EmulationTime at(int seconds) {
  return EmulationTime{} + Seconds{seconds};
}

/// A prompt of three tokens, then: a fresh root with two right guesses, of which the second becomes
/// the root while it is in flight; what follows it was not guessed.
void record_session(Recording& recording, SessionId id, SegmentId first) {
  recording.sent(first, {row(id, 1, 0), row(id, 2, 1), row(id, 3, 2)});
  recording.committed(prune(id, {1, 2, 3}, 3), at(1));
  recording.sent(first + 1, {row(id, fresh, 3), row(id, 4, 4), row(id, 5, 5)});
  recording.committed(prune(id, {fresh, 4}, 5), at(2));
  recording.sent(first + 2, {row(id, 6, 6)});
  recording.committed(prune(id, {5}, 6), at(3));
  recording.sent(first + 3, {row(id, fresh + 1, 6)});
  recording.committed(prune(id, {fresh + 1}, 7), at(4));
}

BenchRun run_of(std::size_t sessions) {
  BenchRun run;
  run.prompts.resize(sessions, {3, 4, 3, 1, 1});
  return run;
}

}  // namespace

BOOST_AUTO_TEST_CASE(guesses_are_counted_by_their_depth_below_the_root) {
  Recording recording;
  record_session(recording, 7, 1);
  auto run = run_of(1);
  recording.count({}, run);
  // The last move is left out: nobody knows what would have come after it.
  BOOST_CHECK((run.guesses == std::vector<GuessUse>{{2, 1}, {1, 1}}));
}

BOOST_AUTO_TEST_CASE(the_text_grows_when_its_root_moves_further_than_ever) {
  Recording recording;
  BOOST_TEST(recording.text_tokens() == 0U);
  record_session(recording, 1, 1);
  BOOST_TEST(recording.text_tokens() == 8U);  // the last root is the token at position 7
  BOOST_CHECK(recording.grown_beyond(4) == at(2));
  BOOST_CHECK(recording.grown_beyond(6) == at(3));
  // It is read again, and then goes on.
  recording.committed(prune(2, {1, 2, 3}, 3), at(10));
  BOOST_CHECK(!recording.grown_beyond(8));
  recording.committed(prune(2, {9}, 8), at(11));
  BOOST_CHECK(recording.grown_beyond(8) == at(11));
}

BOOST_AUTO_TEST_CASE(guesses_of_several_sessions_are_added) {
  Recording recording;
  record_session(recording, 1, 1);
  record_session(recording, 2, 11);
  auto run = run_of(2);
  run.prompts[1].prompt_tokens = 5;  // so its first guesses are the prompt's
  recording.count({}, run);
  BOOST_CHECK((run.guesses == std::vector<GuessUse>{{3, 1}, {1, 1}}));
}

BOOST_AUTO_TEST_CASE(a_session_whose_root_never_moves_leaves_the_others_their_prompts) {
  Recording recording;
  recording.sent(1, {row(1, 1, 0)});
  record_session(recording, 2, 11);
  auto run = run_of(2);
  run.prompts[0].prompt_tokens = 5;
  recording.count({}, run);
  BOOST_CHECK((run.guesses == std::vector<GuessUse>{{2, 1}, {1, 1}}));
}

BOOST_AUTO_TEST_CASE(useful_is_the_time_of_segments_of_which_a_row_was_kept) {
  Recording recording;
  record_session(recording, 1, 1);
  EmulationTime zero;
  auto work = [&](SegmentId segment, int begin, int end) {
    recording.worked({EmulatedWork::Kind::segment,
                      "stage 0",
                      {},
                      zero + Seconds(begin),
                      zero + Seconds(end),
                      {segment},
                      3});
  };
  work(2, 0, 3);
  work(3, 3, 4);  // its guess was wrong
  work(4, 4, 5);
  auto run = run_of(1);
  const DecodeWindow all{zero, zero + Seconds(8)};
  run.seconds = 8;
  recording.count({&all, 1}, run);
  const DecodeWindow part{zero + Seconds(2), zero + Seconds(4)};
  BOOST_TEST(recording.stage_seconds({&part, 1}) == 2.0);
  auto summary = summarize(run);
  BOOST_REQUIRE(summary.useful_share);
  BOOST_CHECK_CLOSE(*summary.useful_share, 4.0 / 8, 1e-9);
  BOOST_CHECK(summary.guesses == run.guesses);
  // Of devices that are not emulated nobody knows what was kept.
  run.devices[0].rows_kept = 0;
  BOOST_CHECK(!summarize(run).useful_share);
}
