/// `flowspec bench engine --compare`: what is read of an earlier run, and how two runs are compared.

#include <algorithm>
#include <fstream>
#include <sstream>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "runtime/console/error.hpp"
#include "runtime/console/text_table.hpp"
#include "runtime/engine_bench/comparison.hpp"
#include "tests/support/temp_folder.hpp"

namespace flowspec::test {
namespace {

EngineReport report() {
  EngineReport report;
  report.machine = {"box", "AMD EPYC", 2};
  report.model = "tiny";
  report.type = "Q8_0";
  report.kernels = "avx2";
  report.bandwidth = {{1, 20e9}};
  report.products = {{ProductType::int8, 1, 150e9, "gemm:jit"}};
  report.peak_memory = std::uint64_t{3} << 20;
  report.runs = {{"tg64", 1, 1, 1, {10}, 0.5, 0.1, "int8"},
                 {"x16", 1, 2, 16, {40}, 0.2, 0.4, "int8"}};
  report.attention = {{8192, 16, 1, {2000}, 8'000'000, 1e9, 0.2, 0.3}};
  report.sampler = {{"T = 1", 32000, 12.5}};
  return report;
}

const Comparison::Line* find(const Comparison& comparison, std::string_view row,
                             std::string_view unit) {
  const auto found = std::ranges::find_if(comparison.lines, [&](const Comparison::Line& line) {
    return line.row == row && line.unit == unit;
  });
  return found == comparison.lines.end() ? nullptr : &*found;
}

auto says(std::string part) {
  return [part = std::move(part)](const RuntimeError& error) {
    BOOST_TEST_MESSAGE(error.what());
    return std::string(error.what()).find(part) != std::string::npos;
  };
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_figure_of_both_runs_stands_beside_the_other) {
  EngineReport later = report();
  later.runs[0].tokens_per_second = {15};
  later.attention[0].microseconds = {1000};
  const Comparison comparison = compare(figures_of(report()), figures_of(later), "old.json");
  const auto* line = find(comparison, "tg64, 1 thread", "tokens/s");
  BOOST_REQUIRE(line);
  BOOST_TEST(line->then == 10);
  BOOST_TEST(line->now == 15);
  BOOST_TEST(line->ratio() == 1.5);
  BOOST_TEST(find(comparison, "tg64, 1 thread", "% of memory"));
  BOOST_TEST(find(comparison, "x16, 1 thread, 2 stages", "% of int8"));
  const auto* attention = find(comparison, "attention 8192 x16, 1 thread", "µs");
  BOOST_REQUIRE(attention);
  BOOST_TEST(attention->ratio() == 0.5);
  BOOST_TEST(find(comparison, "sample T = 1, 32000", "µs"));
  BOOST_TEST(find(comparison, "reading memory, 1 thread", "GB/s"));
  BOOST_TEST(find(comparison, "int8 products, 1 thread", "Gop/s"));
  BOOST_TEST(find(comparison, "largest resident size", "MiB"));
  BOOST_TEST(comparison.only_then.empty());
  BOOST_TEST(comparison.only_now.empty());
  BOOST_TEST(comparison.differences.empty());
}

BOOST_AUTO_TEST_CASE(rows_and_columns_of_one_run_only_are_named) {
  EngineReport later = report();
  later.runs[0].test = "tg128";
  later.runs[1].product = "f32";
  const Comparison comparison = compare(figures_of(report()), figures_of(later), "old.json");
  BOOST_TEST(comparison.only_then == (std::vector<std::string>{
                                         "tg64, 1 thread", "x16, 1 thread, 2 stages (% of int8)"}),
             boost::test_tools::per_element());
  BOOST_TEST(comparison.only_now == (std::vector<std::string>{
                                        "tg128, 1 thread", "x16, 1 thread, 2 stages (% of f32)"}),
             boost::test_tools::per_element());
  const std::string text = comparison_text(comparison);
  BOOST_TEST(text.find("Only then: tg64, 1 thread;") != std::string::npos);
  BOOST_TEST(text.find("Only now: tg128, 1 thread;") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(another_machine_model_or_number_of_threads_is_noted) {
  EngineReport later = report();
  later.machine = {"box", "Neoverse-N1", 4};
  later.model = "small";
  for (EngineRun& run : later.runs)
    run.threads = 2;
  const Comparison comparison = compare(figures_of(report()), figures_of(later), "old.json");
  std::vector<std::string> names;
  for (const auto& difference : comparison.differences)
    names.push_back(difference.what);
  BOOST_TEST(names == (std::vector<std::string>{"CPU", "cores", "model", "threads"}),
             boost::test_tools::per_element());
  BOOST_TEST(comparison_text(comparison).find("differs: CPU: AMD EPYC then, Neoverse-N1 now\n") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_file_of_an_older_program_is_compared_as_far_as_it_goes) {
  const auto old = parse_figures(R"({"model": "tiny", "type": "Q8_0", "runs": [
      {"test": "tg64", "threads": 1, "stages": 1, "tokens_per_second": 5, "bandwidth_share": 0.25}]})",
                                 "old.json");
  const Comparison comparison = compare(old, figures_of(report()), "old.json");
  BOOST_TEST(comparison.lines.size() == 2U);
  BOOST_REQUIRE(find(comparison, "tg64, 1 thread", "tokens/s"));
  BOOST_TEST(comparison_text(comparison).find("CPU: not said then, AMD EPYC now") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_comparison_fits_a_terminal_in_one_table_and_is_in_the_json) {
  EngineReport longest = report();
  longest.runs[1].test = "pp32768";
  longest.runs[1].threads = 128;
  longest.attention[0] = {32768, 64, 128, {1234567}, 8'000'000, 1e9, 0.2, 0.3};
  longest.sampler = {{"T = 0.8, k 40, p 0.95", 151936, 1234.5}};
  std::istringstream lines(
      comparison_text(compare(figures_of(longest), figures_of(longest), "old.json")));
  std::string heading;
  while (heading.find("unit") == std::string::npos && std::getline(lines, heading)) {
  }
  BOOST_TEST(heading.find("ratio") != std::string::npos);
  for (std::string line; std::getline(lines, line);)
    BOOST_CHECK_MESSAGE(width_of(line) <= usual_columns, line);
  const Comparison comparison = compare(figures_of(report()), figures_of(report()), "old.json");
  const auto json = nlohmann::json::parse(to_json(report(), comparison));
  BOOST_TEST(json["runs"].size() == 2U);
  BOOST_TEST(json["comparison"]["file"] == "old.json");
  const auto& figure = json["comparison"]["figures"].at(0);
  BOOST_TEST(figure["row"] == "tg64, 1 thread");
  BOOST_TEST(figure["unit"] == "tokens/s");
  BOOST_TEST(figure["then"] == 10);
  BOOST_TEST(figure["now"] == 10);
  BOOST_TEST(figure["ratio"] == 1);
}

BOOST_AUTO_TEST_CASE(a_figure_that_was_nothing_has_no_ratio) {
  BOOST_TEST((Comparison::Line{"x", "µs", 0, 3}.ratio()) == 0);
  BOOST_TEST((Comparison::Line{"x", "µs", 0, 0}.ratio()) == 0);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_such_is_refused_with_its_name_and_what_is_wrong) {
  const auto refused = [](const std::string& text, const std::string& message) {
    BOOST_TEST_CONTEXT(text) {
      BOOST_CHECK_EXCEPTION(parse_figures(text, "old.json"), RuntimeError, says(message));
      BOOST_CHECK_EXCEPTION(parse_figures(text, "old.json"), RuntimeError, says("old.json"));
    }
  };
  refused("", "is no JSON: parse error at line 1");
  refused("{\"runs\": [", "is no JSON: parse error at line 1");
  refused("[]", "it is no object");
  refused("{}", "there is no 'runs'");
  refused(R"({"runs": 3})", "'runs' is no list");
  refused(R"({"runs": [3]})", "'runs'[0] is no object");
  refused(R"({"runs": [{"mode": "flowspec"}]})", "there is no 'test' of 'runs'[0]");
  refused(R"({"runs": [{"test": 3}]})", "'test' of 'runs'[0] is no text");
  refused(R"({"runs": [{"test": "x1", "threads": -1}]})",
          "'threads' of 'runs'[0] is no whole number from 0 on");
  refused(R"({"runs": [{"test": "x1", "threads": 1, "stages": 1, "tokens_per_second": "fast"}]})",
          "'tokens_per_second' of 'runs'[0] is no number from 0 on");
  refused(R"({"runs": [], "sampling": [{"what": "T = 0", "vocab_size": 3, "microseconds": null}]})",
          "'microseconds' of 'sampling'[0] is no number");
  refused(R"({"runs": []})", "there is no 'model'");
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_is_named) {
  const TempFolder folder;
  BOOST_CHECK_EXCEPTION(read_figures(folder / "none.json"), RuntimeError, says("none.json"));
  BOOST_CHECK_EXCEPTION(read_figures(folder.path()), RuntimeError, says("it is a folder"));
  std::ofstream(folder / "old.json") << to_json(report());
  BOOST_TEST(!read_figures(folder / "old.json").figures.empty());
}

}  // namespace flowspec::test
