/// Benchmarks that lose devices: what `--fault` accepts, and what is shown of it.

#include "runtime/bench/fault.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "runtime/bench/bench_report.hpp"
#include "runtime/bench/cells.hpp"
#include "tests/support/bench_samples.hpp"
#include "tests/support/command_lines.hpp"

using namespace flowspec;
using namespace std::chrono_literals;
using test::check_error;

namespace {

const BenchNames names{{"ar", "chunk-pp", "flowspec"}, {}};

CommandLine bench_line(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "bench");
  return test::parse_line(std::move(arguments));
}

BenchPlan plan_of(const std::vector<const char*>& arguments) {
  return plan_bench(*bench_line(arguments).bench, names);
}

/// Two texts that were disturbed in two of the ways.
CellResult disturbed() {
  auto run = test::sample_run(test::case_of("paper-7b"));
  run.what.faults = {parse_fault("kill:stage1@5s")};
  run.faulted = {{FaultWay::replay, 11, 0.5, 1, 5, 4},
                 {FaultWay::full_read, 11, 1.5, 3, 6, 4},
                 {FaultWay::replay, 21, 0.7, 2, 5, 4},
                 {FaultWay::full_read, 21, 1.7, 5, 6, 4}};
  return {summarize(run), ""};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_fault_is_a_stage_and_a_time) {
  BOOST_CHECK((parse_fault("kill:stage2@5s") == BenchFault{2, 5s}));
  BOOST_CHECK((parse_fault("kill:stage0@1500ms") == BenchFault{0, 1500ms}));
  BOOST_CHECK((parse_fault("kill:stage11@0.25s") == BenchFault{11, 250ms}));
  for (const char* text : {"kill:stage2@5s", "kill:stage0@1500ms", "kill:stage3@2.5ms"}) {
    auto fault = parse_fault(text);
    BOOST_TEST(text_of({&fault, 1}) == text);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_fault_is_refused_with_an_example) {
  for (const char* text :
       {"", "kill", "kill:stage2", "kill:stage@5s", "kill:stage-1@5s", "kill:stage2@5",
        "kill:stage2@s", "kill:stage2@-5s", "kill:stage2@-0s", "kill:stage2@5min",
        "kill:stage2@5s ", "kill:stage2@nans", "kill:stage2@infs", "kill:stage2@1e99s",
        "kill:stage99999999999@5s", "stop:stage2@5s", "kill:draft@5s", " kill:stage2@5s"})
    check_error([&] { parse_fault(text); }, "kill:stage2@5s or kill:stage0@1500ms");
}

BOOST_AUTO_TEST_CASE(several_faults_are_in_the_order_of_their_times) {
  auto plan = plan_of({"--virtual", "--fault", "kill:stage2@5s,kill:stage0@1500ms", "--fault",
                       "kill:stage1@3s", "--modes", "chunk-pp"});
  BOOST_REQUIRE_EQUAL(plan.cells.size(), 1U);
  BOOST_TEST(text_of(plan.cells[0].faults) == "kill:stage0@1500ms,kill:stage1@3s,kill:stage2@5s");
}

BOOST_AUTO_TEST_CASE(with_a_fault_two_modes_and_ten_prompts_are_usual) {
  auto plan = plan_of({"--virtual", "--fault", "kill:stage2@5s"});
  BOOST_REQUIRE_EQUAL(plan.cells.size(), 2U);
  BOOST_TEST(plan.cells[0].mode == "ar");
  BOOST_TEST(plan.cells[1].mode == "flowspec");
  BOOST_TEST(plan.cells[1].profile == "paper-7b");
  BOOST_TEST(plan.prompts == 10U);
}

BOOST_AUTO_TEST_CASE(a_fault_needs_virtual_time_and_leaves_no_picture) {
  check_error([] { bench_line({"--fault", "kill:stage2@5s"}); }, "add --virtual");
  check_error([] { bench_line({"--virtual", "--fault", "kill:stage2"}); }, "--fault kill:stage2: ");
  for (const char* picture : {"--trace", "--plot"})
    check_error(
        [&] {
          bench_line({"--virtual", "--fault", "kill:stage2@5s", picture, "a"});
        },
        "leave them out, or --fault");
  std::string many;
  for (int i = 0; i < 17; ++i)
    many += "kill:stage1@" + std::to_string(i) + "s,";
  many.pop_back();
  check_error([&] { bench_line({"--virtual", "--fault", many.c_str()}); }, "at most 16");
}

BOOST_AUTO_TEST_CASE(pauses_and_speeds_are_of_each_way_alone) {
  auto summary = disturbed().summary;
  BOOST_REQUIRE_EQUAL(summary.faults.size(), 2U);
  const FaultSummary& replay = summary.faults[0];
  BOOST_CHECK(replay.way == FaultWay::replay && summary.faults[1].way == FaultWay::full_read);
  BOOST_TEST(replay.texts == 2U);
  BOOST_CHECK_CLOSE(replay.pause_s.mean, 0.6, 1e-9);
  BOOST_CHECK_CLOSE(replay.longest_pause_s, 0.7, 1e-9);
  BOOST_CHECK_CLOSE(replay.stages_s, 1.5, 1e-9);
  BOOST_CHECK_CLOSE(replay.decode_rate, 3, 1e-9);  // 10 + 20 tokens after the first in 10 s
  BOOST_CHECK_CLOSE(replay.undisturbed_rate, 30.0 / 8, 1e-9);
  BOOST_CHECK_CLOSE(summary.faults[1].decode_rate, 2.5, 1e-9);
}

BOOST_AUTO_TEST_CASE(table_and_files_tell_of_the_pauses) {
  const std::vector<CellResult> results{disturbed()};
  auto table = table_text(results, BenchClock::virtual_time);
  BOOST_TEST_MESSAGE(table);
  for (const char* part : {"kill:stage1@5s", "flowspec, replay", "600.0 ± 141.4", "700.0", "1500",
                           "3.00", "3.75", "2/2", "flowspec, full re-read"})
    BOOST_CHECK_MESSAGE(contains(table, part), part);
  BOOST_CHECK(!contains(table, "flowspec, without the log"));
  auto run = nlohmann::json::parse(bench_json(results, BenchClock::virtual_time)).at("runs").at(0);
  BOOST_TEST(run.at("fault") == "kill:stage1@5s");
  const auto& replay = run.at("after_fault").at(0);
  BOOST_TEST(replay.at("way") == "replay");
  BOOST_TEST(replay.at("texts") == 2);
  BOOST_CHECK_CLOSE(replay.at("pause_seconds").at("mean").get<double>(), 0.6, 1e-9);
  BOOST_CHECK_CLOSE(replay.at("decode_tokens_per_second").get<double>(), 3, 1e-9);
  auto csv = csv_text(results, BenchClock::virtual_time);
  BOOST_CHECK_MESSAGE(contains(csv, ",kill:stage1@5s,0.6 1.6,3 2.5,"), csv);
}

BOOST_AUTO_TEST_CASE(without_a_fault_nothing_is_said_of_pauses) {
  const std::vector<CellResult> results{
      {summarize(test::sample_run(test::case_of("paper-7b"))), ""}};
  BOOST_CHECK(!contains(table_text(results, BenchClock::virtual_time), "pause"));
  BOOST_CHECK(!contains(bench_json(results, BenchClock::virtual_time), "after_fault"));
}
