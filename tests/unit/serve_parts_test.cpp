/// What a server is made of: who runs and who waits, who may ask, and what is counted.

#include <atomic>
#include <fstream>
#include <future>

#include <boost/test/unit_test.hpp>

#include "runtime/console/error.hpp"
#include "runtime/serve/api_keys.hpp"
#include "runtime/serve/live_sessions.hpp"
#include "runtime/serve/request_gate.hpp"
#include "runtime/serve/stage_figures.hpp"
#include "runtime/serve/work_queue.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/http_host.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

BOOST_AUTO_TEST_SUITE(request_gate)

BOOST_AUTO_TEST_CASE(as_many_run_as_may_and_the_others_wait_in_their_order) {
  RequestGate gate(2, 2);
  std::string started;
  auto enter = [&](const char* name, std::size_t answers = 1) {
    return gate.enter(answers, [&started, name] { started += name; });
  };
  auto a = enter("a");
  auto b = enter("b");
  auto c = enter("c");
  auto d = enter("d", 2);
  BOOST_TEST(started == "ab");
  BOOST_TEST(gate.waiting() == 2);
  BOOST_TEST(!enter("e"));
  BOOST_TEST(gate.waiting() == 2);
  a.reset();
  BOOST_TEST(started == "abc");
  b.reset();
  BOOST_TEST(started == "abc");  // two at once are too many still
  auto e = enter("e");
  BOOST_TEST(started == "abc");  // nor may the next one overtake it
  c.reset();
  BOOST_TEST(started == "abcd");
  d.reset();
  BOOST_TEST(started == "abcde");
  e.reset();
  BOOST_TEST(gate.running() == 0);
}

BOOST_AUTO_TEST_CASE(who_leaves_the_line_is_not_started) {
  RequestGate gate(1, 2);
  std::string started;
  auto a = gate.enter(
      1, [&] { started += 'a'; });
  auto b = gate.enter(
      1, [&] { started += 'b'; });
  auto c = gate.enter(1, [&] { started += 'c'; });
  b.reset();
  a.reset();
  BOOST_TEST(started == "ac");
}

BOOST_AUTO_TEST_CASE(a_request_with_more_answers_than_may_run_runs_alone) {
  RequestGate gate(2, 1);
  bool has_started = false;
  auto small = gate.enter(
      1, [] {});
  auto large = gate.enter(5, [&] { has_started = true; });
  BOOST_TEST(!has_started);
  small.reset();
  BOOST_TEST(has_started);
}

BOOST_AUTO_TEST_CASE(without_a_line_nobody_waits) {
  RequestGate gate(1, 0);
  auto first = gate.enter(1, [] {});
  BOOST_TEST((first != nullptr));
  BOOST_TEST(!gate.enter(1, [] {}));
  first.reset();
  BOOST_TEST((gate.enter(1, [] {}) != nullptr));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(work_queue)

BOOST_AUTO_TEST_CASE(work_that_waits_has_a_limit_and_is_forgotten_at_the_end) {
  WorkQueue queue(1, 2);
  std::promise<void> go;
  std::promise<void> begun;
  auto may_go = go.get_future().share();
  std::atomic<int> count{0};
  BOOST_TEST(queue.post([&, may_go] {
    begun.set_value();
    may_go.wait();
    ++count;
  }));
  begun.get_future().wait();
  BOOST_TEST(queue.post([&] { ++count; }));
  BOOST_TEST(queue.post([&] { ++count; }));
  BOOST_TEST(!queue.post([&] { ++count; }));
  go.set_value();
  BOOST_TEST(comes_true([&] { return count == 3; }));
  queue.stop();
  BOOST_TEST(!queue.post([&] { ++count; }));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(api_keys)

BOOST_AUTO_TEST_CASE(who_has_a_key_is_let_in) {
  TempFolder folder;
  auto file = (folder / "keys").string();
  std::ofstream(file) << "# ours\nfirst-key-1\n\n  second-key-2 \r\n";
  auto keys = ApiKeys::read(file);
  BOOST_TEST(keys.let_in("Bearer first-key-1"));
  BOOST_TEST(keys.let_in("bearer second-key-2"));
  for (const char* wrong : {"Bearer first-key-2", "Bearer first-key-", "Bearer ", "first-key-1",
                            "Basic first-key-1", "Bearer # ours", ""})
    BOOST_TEST(!keys.let_in(wrong), wrong);
  BOOST_TEST(!keys.let_in(std::nullopt));
  BOOST_TEST(ApiKeys().let_in(std::nullopt));
}

BOOST_AUTO_TEST_CASE(a_file_without_good_keys_is_refused) {
  TempFolder folder;
  auto file = (folder / "keys").string();
  auto check = [&](const char* text, const char* problem) {
    std::ofstream(file) << text;
    check_throws<RuntimeError>([&] { ApiKeys::read(file); }, {problem});
  };
  check("# none\n", "has no key");
  check("long-enough\nshort\n", "line 2");
  check("with a space in it\n", "line 1");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(live_sessions)

BOOST_AUTO_TEST_CASE(totals_count_what_runs_and_never_become_less) {
  LiveSessions live;
  auto id = live.add(10);
  BOOST_CHECK(live.sessions().at(0).phase == SessionPhase::waiting);
  BOOST_TEST(live.totals().prompt_tokens == 0);
  live.begin(id);
  BOOST_CHECK(live.sessions().at(0).phase == SessionPhase::prompt);
  live.advance(id, 5);
  BOOST_TEST(live.totals().tokens == 5);
  Report report;
  report.prompt_tokens = 10;
  report.tokens = {1, 2, 3, 4};  // one less than was thought
  live.end(id, report);
  BOOST_TEST(live.sessions().empty());
  BOOST_TEST(live.totals().tokens == 5);
  BOOST_TEST(live.totals().requests == 1);
}

BOOST_AUTO_TEST_CASE(busy_time_is_shared_out_over_kept_and_wasted_rows) {
  ClusterState state;
  state.layers = {{0, 4}};
  state.stats.resize(3);
  state.stats[0].busy_ns = 4'000'000'000;
  state.stats[0].rows_computed = 100;
  state.stats[0].rows_kept = 25;
  auto figures = stage_figures(state, 10);
  BOOST_REQUIRE(figures.size() == 3);
  BOOST_TEST(figures[0].busy_kept_s == 1);
  BOOST_TEST(figures[0].busy_wasted_s == 3);
  BOOST_TEST(figures[0].idle_s == 6);
  BOOST_TEST(figures[0].rows_wasted == 75);
  BOOST_TEST(figures[1].stage == "verifier");
  state.stats.pop_back();
  BOOST_TEST(stage_figures(state, 10).empty());
}

BOOST_AUTO_TEST_SUITE_END()
