/// Sessions of one hop that go on with what another session has left.
#include "actors/pipeline/hop.hpp"

#include <boost/test/unit_test.hpp>

namespace flowspec::test {
namespace {

constexpr std::uint32_t slots = 16;

Open open_of(SessionId session, std::vector<Token> prompt, SessionId previous = no_session,
             Position kept = 0) {
  Open open;
  open.session = session;
  open.root = 1;
  open.prompt = std::move(prompt);
  open.position_limit = slots;
  open.slots = slots;
  open.prefix_session = previous;
  open.cached_tokens = kept;
  return open;
}

/// Session 1 has committed the tokens 10, 20, 30, and node 4 is its root.
struct Hop {
  HopSessions sessions{0};
  std::vector<Fault> faults;

  Hop() {
    BOOST_TEST(sessions.open(open_of(1, {10, 20, 30}), {}).value_or("") == "");
    Segment segment;
    segment.id = 1;
    segment.rows = {{1, 1, no_node, 10, 0}, {1, 2, 1, 20, 1}, {1, 3, 2, 30, 2}, {1, 4, 3, 40, 3}};
    BOOST_TEST(sessions.admit(segment, faults).size() == 4);
    sessions.apply({{1, 1, {1, 2, 3}, segment.rows[3]}}, faults);
    BOOST_TEST(faults.empty());
  }

  std::string resume(const Open& open) { return sessions.resume(open).value_or(""); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(hop_sessions)

BOOST_FIXTURE_TEST_CASE(a_session_goes_on_with_the_slots_of_the_kept_tokens, Hop) {
  auto before = sessions.find(1)->view.committed();
  std::vector<Slot> kept(before.begin(), before.begin() + 2);
  BOOST_TEST(sessions.close(1, true).size() == 1);
  BOOST_TEST(sessions.find(1) == nullptr);
  BOOST_TEST(sessions.stats().kv_slots_used == 3);
  BOOST_TEST(resume(open_of(2, {10, 20, 31}, 1, 2)) == "");
  const LiveView& view = sessions.find(2)->view;
  BOOST_TEST(std::vector<Slot>(view.committed().begin(), view.committed().end()) == kept,
             boost::test_tools::per_element());
  BOOST_TEST(view.free_slots() == slots - 2);
  BOOST_TEST(view.version() == 0);
  BOOST_TEST(sessions.broken_invariant().value_or("") == "");
  Segment segment;
  segment.rows = {{2, 1, no_node, 31, 2}};
  BOOST_TEST(sessions.admit(segment, faults).size() == 1);
}

BOOST_FIXTURE_TEST_CASE(what_does_not_fit_is_refused_and_freed, Hop) {
  const Open wrong[] = {open_of(2, {10, 21, 30}, 1, 2), open_of(2, {10, 20, 30, 40, 50}, 1, 4),
                        open_of(2, {10, 20}, 1, 2)};
  for (const Open& open : wrong) {
    Hop hop;
    hop.sessions.close(1, true);
    BOOST_TEST(hop.resume(open).find("do not begin with the first") != std::string::npos);
    BOOST_TEST(hop.sessions.stats().kv_slots_used == 0);
  }
  sessions.close(1, true);
  auto smaller = open_of(2, {10, 20, 30}, 1, 2);
  smaller.slots = slots - 1;
  BOOST_TEST(resume(smaller) == "session 1 had 16 KV slots, 15 are wanted");
  BOOST_TEST(resume(open_of(2, {10, 20, 30}, 1, 2)) == "nothing is kept of session 1");
}

BOOST_FIXTURE_TEST_CASE(nothing_is_kept_of_a_dead_session_or_after_a_second_close, Hop) {
  sessions.close(1, true);
  sessions.close(1, false);
  BOOST_TEST(resume(open_of(2, {10, 20}, 1, 1)) == "nothing is kept of session 1");

  Hop other;
  other.sessions.cancel(1);
  other.sessions.close(1, true);
  BOOST_TEST(other.resume(open_of(2, {10, 20}, 1, 1)) == "nothing is kept of session 1");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace flowspec::test
