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
  std::shared_ptr<SlotPool> pool = std::make_shared<SlotPool>(slots);
  HopSessions sessions{0, pool};
  std::vector<Fault> faults;

  Hop() {
    BOOST_TEST(open(open_of(1, {10, 20, 30})) == "");
    Segment segment;
    segment.id = 1;
    segment.rows = {{1, 1, no_node, 10, 0}, {1, 2, 1, 20, 1}, {1, 3, 2, 30, 2}, {1, 4, 3, 40, 3}};
    BOOST_TEST(sessions.admit(segment, faults).size() == 4);
    sessions.apply({{1, 1, {1, 2, 3}, segment.rows[3]}}, faults);
    BOOST_TEST(faults.empty());
  }

  std::string open(const Open& open) { return sessions.open(open).value_or(""); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(hop_sessions)

BOOST_FIXTURE_TEST_CASE(a_session_shares_the_slots_of_another_that_is_open_or_kept, Hop) {
  for (bool kept : {false, true}) {
    Hop hop;
    auto before = hop.sessions.find(1)->view.committed();
    std::vector<Slot> shared(before.begin(), before.begin() + 2);
    if (kept) {
      BOOST_TEST(hop.sessions.close(1, true).size() == 1);
      BOOST_TEST(hop.sessions.find(1) == nullptr);
      BOOST_TEST(hop.pool->used() == 3U);  // not the root
    }
    auto used = hop.pool->used();
    BOOST_TEST(hop.open(open_of(2, {10, 20, 31}, 1, 2)) == "");
    const LiveView& view = hop.sessions.find(2)->view;
    BOOST_TEST(std::vector<Slot>(view.committed().begin(), view.committed().end()) == shared,
               boost::test_tools::per_element());
    BOOST_TEST(hop.pool->used() == used);
    BOOST_TEST(view.version() == 0);
    BOOST_TEST(hop.sessions.broken_invariant().value_or("") == "");
    Segment segment;
    segment.rows = {{2, 1, no_node, 31, 2}};
    BOOST_TEST(hop.sessions.admit(segment, hop.faults).size() == 1);
    hop.sessions.close(1, false);
    BOOST_TEST(hop.pool->used() == 3U);
    hop.sessions.close(2, false);
    BOOST_TEST(hop.pool->used() == 0U);
  }
}

BOOST_FIXTURE_TEST_CASE(what_does_not_fit_is_refused_and_leaves_the_other_alone, Hop) {
  const Open wrong[] = {open_of(2, {10, 21, 30}, 1, 2), open_of(2, {10, 20, 30, 40, 50}, 1, 4),
                        open_of(2, {10, 20}, 1, 2)};
  for (const Open& one : wrong)
    BOOST_TEST(open(one).find("do not begin with the first") != std::string::npos);
  BOOST_TEST(pool->used() == 4U);
  BOOST_TEST(open(open_of(2, {10, 20, 30}, 1, 2)) == "");
  BOOST_TEST(open(open_of(2, {10, 20, 30}, 1, 2)) == "session 2 is open already");
}

BOOST_FIXTURE_TEST_CASE(nothing_is_kept_of_a_dead_session_or_after_a_second_close, Hop) {
  sessions.close(1, true);
  sessions.close(1, false);
  BOOST_TEST(open(open_of(2, {10, 20}, 1, 1)) == "nothing is kept of session 1");

  Hop other;
  other.sessions.cancel(1);
  other.sessions.close(1, true);
  BOOST_TEST(other.open(open_of(2, {10, 20}, 1, 1)) == "nothing is kept of session 1");
  BOOST_TEST(other.pool->used() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_session_goes_beyond_its_limit_when_it_has_been_raised, Hop) {
  auto short_text = open_of(2, {10}, no_session, 0);
  short_text.position_limit = short_text.slots = 1;
  BOOST_TEST(open(short_text) == "");
  sessions.grow({2, 2, 2});
  Segment segment;
  segment.rows = {{2, 1, no_node, 10, 0}, {2, 2, 1, 11, 1}};
  BOOST_TEST(sessions.admit(segment, faults).size() == 2U);
  segment.rows = {{2, 3, 2, 12, 2}};
  BOOST_TEST(sessions.admit(segment, faults).empty());
  BOOST_REQUIRE(faults.size() == 1U);
  BOOST_TEST(faults[0].error.find("the limit is 2") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace flowspec::test
