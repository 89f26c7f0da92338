/// Many requests at once: when each begins, when its tokens came, and the figures of all.

#include "runtime/bench/load.hpp"

#include <sstream>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "actors/policy/modes/modes.hpp"
#include "runtime/bench/bench_command.hpp"
#include "runtime/bench/bench_report.hpp"
#include "runtime/bench/load_summary.hpp"
#include "runtime/console/text_table.hpp"
#include "tests/support/bench_samples.hpp"
#include "tests/support/command_lines.hpp"

using namespace flowspec;
using test::check_error;

namespace {

using Json = nlohmann::json;

BenchOptions options_of(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "bench");
  auto line = test::parse_line(std::move(arguments));
  BOOST_REQUIRE(line.bench);
  return *line.bench;
}

BenchPlan plan_of(const std::vector<const char*>& arguments) {
  return plan_bench(options_of(arguments), {published_mode_names(), {}});
}

/// Four requests of five tokens, the first of which comes after a second: one at a time with a token
/// a second, and two at a time with a token in 1.25 s.
std::vector<LoadRun> sample_loads() {
  LoadRun one{1, {}, {}, 0.5, 0.25};
  LoadRun two{2, {}, {}, 0.9, 0.7};
  for (int i = 0; i < 4; ++i) {
    double begin = 5.0 * i;
    one.requests.push_back({8, begin, begin, begin + 5, {}});
    for (int token = 0; token < 5; ++token)
      one.requests.back().token_s.push_back(begin + 1 + token);
    begin = 6.0 * (i / 2);
    two.requests.push_back({8, begin, begin, begin + 6, {}});
    for (int token = 0; token < 5; ++token)
      two.requests.back().token_s.push_back(begin + 1 + 1.25 * token);
  }
  return {one, two};
}

CellResult sample_result() {
  auto run = test::sample_run(test::case_of("paper-7b"));
  run.loads = sample_loads();
  run.loads[1].long_prompt = LongPromptRun{30000, 5120, 80, 12, false};
  return {summarize(run), ""};
}

}  // namespace

BOOST_AUTO_TEST_CASE(so_many_requests_are_under_way_until_there_are_no_more) {
  LoadSchedule schedule(5, 2);
  BOOST_CHECK((schedule.begin(0) == 0U && schedule.begin(0) == 1U && !schedule.begin(0)));
  BOOST_CHECK(!schedule.next_arrival());
  schedule.ended();
  BOOST_CHECK((schedule.next_arrival() == 0.0 && schedule.begin(3) == 2U && !schedule.begin(3)));
  schedule.ended();
  schedule.ended();
  BOOST_CHECK((schedule.begin(3) == 3U && schedule.begin(3) == 4U && !schedule.begin(3)));
  BOOST_CHECK(!schedule.is_done());
  schedule.ended();
  schedule.ended();
  BOOST_CHECK(schedule.is_done() && !schedule.begin(9) && !schedule.next_arrival());
}

BOOST_AUTO_TEST_CASE(arrivals_at_random_follow_from_the_seed_and_have_the_rate) {
  constexpr std::size_t count = 4000;
  LoadSchedule schedule(count, count, 2, 7);
  LoadSchedule again(count, count, 2, 7);
  LoadSchedule other(count, count, 2, 8);
  BOOST_TEST(schedule.arrival_of(0) == 0);
  for (std::size_t i = 1; i < count; ++i) {
    BOOST_TEST_REQUIRE(schedule.arrival_of(i) > schedule.arrival_of(i - 1));
    BOOST_TEST_REQUIRE(schedule.arrival_of(i) == again.arrival_of(i));
  }
  BOOST_TEST(schedule.arrival_of(1) != other.arrival_of(1));
  BOOST_TEST(schedule.arrival_of(count - 1) == count / 2.0, boost::test_tools::tolerance(0.05));
  BOOST_CHECK(schedule.begin(0) == 0U && !schedule.begin(0));
  const auto next = schedule.next_arrival();
  BOOST_REQUIRE(next.has_value());
  BOOST_CHECK(!schedule.begin(*next - 1e-9) && schedule.begin(*next) == 1U);
}

BOOST_AUTO_TEST_CASE(tokens_come_with_the_text_that_they_complete) {
  RequestLog log;
  log.begun_s = 10;
  log.pieces = {{11, 4}, {12, 3}, {14, 6}};
  log.report.prefill_us = 1'000'000;
  log.report.decode_us = 5'000'000;
  using Times = std::vector<double>;
  BOOST_CHECK((token_times(log, {4, 3, 6}) == Times{11, 12, 14}));
  BOOST_CHECK((token_times(log, {2, 2, 1, 2, 6}) == Times{11, 11, 12, 12, 14}));
  // Half a character makes no text; the end of text neither.
  BOOST_CHECK((token_times(log, {4, 0, 3, 6, 0}) == Times{11, 12, 12, 14, 16}));
  BOOST_CHECK(token_times(log, {}).empty());
}

BOOST_AUTO_TEST_CASE(percentiles_are_of_the_nearest_rank) {
  BOOST_CHECK((percentiles_of({}) == Percentiles{}));
  BOOST_CHECK((percentiles_of({3}) == Percentiles{3, 3, 3}));
  std::vector<double> hundred;
  for (int i = 100; i > 0; --i)
    hundred.push_back(i);
  BOOST_CHECK((percentiles_of(hundred) == Percentiles{50, 95, 99}));
}

BOOST_AUTO_TEST_CASE(figures_of_requests_at_once) {
  auto loads = summarize_loads(sample_loads(), 0);
  BOOST_REQUIRE_EQUAL(loads.size(), 2U);
  BOOST_CHECK_CLOSE(loads[0].total_rate, 1, 1e-9);
  BOOST_CHECK_CLOSE(loads[0].total_over_one, 1, 1e-9);
  BOOST_CHECK_CLOSE(loads[0].keeps, 1, 1e-9);
  const LoadSummary& two = loads[1];
  BOOST_CHECK(two.requests == 4U && two.tokens == 20U && two.at_once == 2U);
  BOOST_CHECK_CLOSE(two.total_rate, 20.0 / 12, 1e-9);
  BOOST_CHECK_CLOSE(two.total_over_one, 20.0 / 12, 1e-9);
  BOOST_CHECK_CLOSE(two.request_rate, 0.8, 1e-9);
  BOOST_CHECK_CLOSE(two.least_request_rate, 0.8, 1e-9);
  BOOST_CHECK_CLOSE(two.keeps, 0.8, 1e-9);
  BOOST_CHECK_CLOSE(two.least_keeps, 0.8, 1e-9);
  BOOST_CHECK_CLOSE(two.first_token_s.p99, 1, 1e-9);
  BOOST_CHECK_CLOSE(two.token_s.median, 1.25, 1e-9);
  BOOST_CHECK_CLOSE(two.gap_s.p95, 1.25, 1e-9);
}

BOOST_AUTO_TEST_CASE(the_total_is_of_the_time_in_which_so_many_are_under_way) {
  // The second of the last two goes on alone for ten tokens more.
  auto runs = sample_loads();
  auto& last = runs[1].requests[3];
  for (int i = 1; i <= 10; ++i)
    last.token_s.push_back(12 + i);
  last.ended_s = 22;
  BOOST_CHECK_CLOSE(summarize_loads(runs, 0)[1].total_rate, 20.0 / 12, 1e-9);
  // Of those that arrive at random all time counts.
  BOOST_CHECK_CLOSE(summarize_loads(runs, 3)[1].total_rate, 30.0 / 22, 1e-9);
}

BOOST_AUTO_TEST_CASE(requests_without_tokens_have_no_rate) {
  LoadRun run{2, {{8, 0, 0, 1, {}}, {8, 0, 0, 2, {1.5}}}, {}, {}, {}};
  auto loads = summarize_loads(std::vector{run, run}, 0);
  BOOST_CHECK(loads[1].request_rate == 0 && loads[1].keeps == 0 && loads[1].tokens == 1U);
  BOOST_CHECK(summarize_loads({}, 0).empty());
}

BOOST_AUTO_TEST_CASE(options_of_a_load) {
  auto plan = plan_of({"--virtual", "--requests", "2,4"});
  BOOST_REQUIRE_EQUAL(plan.cells.size(), 1U);
  BOOST_CHECK(plan.cells[0].mode == "flowspec" && plan.prompts == 20);
  BOOST_CHECK((plan.cells[0].load == LoadPlan{{2, 4}, 0, 0}));
  BOOST_CHECK((plan_of({"--arrival", "0.5"}).cells[0].load == LoadPlan{{LoadPlan::all}, 0.5, 0}));
  BOOST_CHECK(
      (plan_of({"--arrival", "0.5", "--requests", "8"}).cells[0].load == LoadPlan{{8}, 0.5, 0}));
  BOOST_CHECK((plan_of({"--long-prompt", "30000"}).cells[0].load == LoadPlan{{1}, 0, 30000}));
  BOOST_CHECK(plan_of({"--virtual"}).cells[0].load == LoadPlan{});
  BOOST_CHECK_EQUAL(plan_of({"--requests", "2", "--modes", "ar,chunk-pp"}).cells.size(), 2U);
  check_error([] { options_of({"--arrival", "0"}); }, "--arrival");
  check_error([] { options_of({"--requests", "0"}); }, "--requests");
  check_error(
      [] {
        options_of({"--requests", "2", "--virtual", "--fault", "kill:stage0@1s"});
      },
      "--fault");
  check_error([] { options_of({"--requests", "2,4", "--plot", "a.svg"}); }, "--requests");
}

BOOST_AUTO_TEST_CASE(the_table_has_a_line_for_each_number_at_once) {
  const std::vector<CellResult> results{sample_result()};
  auto text = table_text(results, BenchClock::virtual_time);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    BOOST_CHECK_MESSAGE(width_of(line) <= usual_columns, width_of(line) << ": " << line);
  for (const char* part : {"flowspec, one at a time", "flowspec, 2 at once", "1.67", "0.80",
                           "5120 of 30000 in 12.0 s", "1250, 1250, 1250", "90, 70"})
    BOOST_CHECK_MESSAGE(text.find(part) != std::string::npos, part << "\n" << text);
  auto without = table_text({{summarize(test::sample_run({})), ""}}, BenchClock::real);
  BOOST_CHECK(without.find("at once") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(files_have_the_figures_of_a_load) {
  const std::vector<CellResult> results{sample_result()};
  auto json = Json::parse(bench_json(results, BenchClock::virtual_time))["runs"][0]["loads"];
  BOOST_REQUIRE_EQUAL(json.size(), 2U);
  BOOST_CHECK(!json[0].contains("long_prompt"));
  BOOST_CHECK_CLOSE(json[1]["total_over_one"].get<double>(), 20.0 / 12, 1e-9);
  BOOST_CHECK_CLOSE(json[1]["keeps"].get<double>(), 0.8, 1e-9);
  BOOST_CHECK_CLOSE(json[1]["seconds_per_token"]["p99"].get<double>(), 1.25, 1e-9);
  BOOST_CHECK_EQUAL(json[1]["long_prompt"]["read"].get<int>(), 5120);
  auto csv = csv_text(results, BenchClock::virtual_time);
  BOOST_CHECK(csv.find("requests_at_once,total_tokens_per_second,total_over_one") !=
              std::string::npos);
  BOOST_CHECK(csv.find(",1 2,") != std::string::npos);
}
