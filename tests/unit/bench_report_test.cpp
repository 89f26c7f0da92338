/// How a benchmark's figures are shown: tables, CSV, JSON, trace and picture.

#include "runtime/bench/bench_report.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <sstream>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/bench/chrome_trace.hpp"
#include "runtime/bench/svg_writer.hpp"
#include "runtime/bench/timeline_svg.hpp"
#include "runtime/console/error.hpp"
#include "runtime/console/text_table.hpp"
#include "tests/support/bench_samples.hpp"

using namespace flowspec;
using test::case_of;
using test::sample_run;
using test::sample_trace;

namespace {

using Json = nlohmann::json;

std::vector<CellResult> sample_results(const BenchCase& what) {
  auto ar = what;
  ar.mode = "ar";
  std::vector<BenchSummary> summaries{summarize(sample_run(ar)), summarize(sample_run(what))};
  summaries[0].decode_rate = 2;
  add_speedups(summaries);
  return {{summaries[0], ""}, {summaries[1], ""}};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void check_width(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    BOOST_CHECK_MESSAGE(width_of(line) <= usual_columns, width_of(line) << ": " << line);
}

/// What is wrong with an XML text; empty: nothing that a rough look finds.
std::string xml_problem(std::string text) {
  std::vector<std::string> open;
  const std::regex tag(R"(^<(/?)([A-Za-z]+)((?:\s+[A-Za-z0-9:-]+="[^"<&]*")*)\s*(/?)>)");
  const std::regex content(R"(^(?:[^<>&]|&(?:amp|lt|gt|quot);)+)");
  if (!text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"))
    return "no declaration";
  text.erase(0, text.find('\n') + 1);
  std::smatch match;
  while (!text.empty()) {
    auto before = text.substr(0, 60);
    if (std::regex_search(text, match, content)) {
      text.erase(0, static_cast<std::size_t>(match.length()));
      continue;
    }
    if (!std::regex_search(text, match, tag))
      return "neither tag nor text: " + before;
    std::string name = match[2];
    bool closes = match[1].length() > 0;
    bool is_empty = match[4].length() > 0;
    text.erase(0, static_cast<std::size_t>(match.length()));
    if (closes && (open.empty() || open.back() != name))
      return "not open: " + before;
    if (closes)
      open.pop_back();
    else if (!is_empty)
      open.push_back(name);
  }
  return open.empty() ? "" : "not closed: " + open.back();
}

}  // namespace

BOOST_AUTO_TEST_CASE(json_has_the_keys_that_scripts_rely_on) {
  auto what = case_of("paper-7b");
  what.temperature = 0.7F;
  what.link_mbps = 1000;
  auto json = Json::parse(bench_json(sample_results(what), BenchClock::virtual_time));
  BOOST_REQUIRE_EQUAL(json["runs"].size(), 2U);
  BOOST_CHECK(!json.contains("failed"));
  const Json& run = json["runs"][1];
  const Json expected{{"mode", "flowspec"},
                      {"ablation", ""},
                      {"profile", "paper-7b"},
                      {"temperature", 0.7},
                      {"link_mbps", 1000.0},
                      {"draft", "default"},
                      {"draft_type", "as-is"},
                      {"draft_vocabulary", ""},
                      {"stages", 2},
                      {"clock", "virtual"},
                      {"prompts", 2},
                      {"decode_tokens_per_second", 4.0},
                      {"prefill_tokens_per_second", 10.0},
                      {"speedup_vs_chunk_pp", nullptr},
                      {"speedup_vs_ar", 2.0},
                      {"accept_length", 2.5},
                      {"tokens_per_segment", 2.8},
                      {"rows_computed", 190},
                      {"rows_kept", 40},
                      {"useful_share", 0.55},
                      {"guesses_by_depth",
                       {{{"depth", 1}, {"reached", 12}, {"right", 9}},
                        {{"depth", 2}, {"reached", 6}, {"right", 3}}}},
                      {"stage_busy", {0.6, 0.8}},
                      {"stage_wasted", {0.2, 0.1}}};
  for (const auto& [key, value] : expected.items()) {
    BOOST_REQUIRE_MESSAGE(run.contains(key), key);
    BOOST_CHECK_MESSAGE(run[key] == value, key << ": " << run[key] << " is not " << value);
  }
  BOOST_CHECK_CLOSE(run["stage_idle"][1].get<double>(), 0.2, 1e-9);
  BOOST_CHECK_CLOSE(run["decode_tokens_per_second_by_prompt"]["mean"].get<double>(), 3.875, 1e-9);
  BOOST_CHECK_EQUAL(run["devices"][0]["name"], "draft");
  BOOST_CHECK_CLOSE(run["hops"][0]["seconds_per_segment"].get<double>(), 0.05, 1e-9);
}

BOOST_AUTO_TEST_CASE(csv_has_a_line_per_cell_and_quotes_where_needed) {
  auto what = case_of("a \"b\", c", "", "plain");
  auto results = sample_results(what);
  results.push_back({summarize(sample_run(what)), "failed"});
  auto csv = csv_text(results, BenchClock::real);
  BOOST_CHECK_EQUAL(std::ranges::count(csv, '\n'), 3);
  BOOST_CHECK(
      csv.starts_with("mode,ablation,coupled,profile,temperature,link_mbps,draft,draft_type,draft_"
                      "vocabulary,stages,"
                      "clock,"));
  BOOST_CHECK(
      contains(csv, "\r\nflowspec,,on,\"a \"\"b\"\", c\",0,0,plain,as-is,,2,real,2,30,4,3.875,"));
  BOOST_CHECK(contains(csv, ",0.6 0.8,0.2 0.1,"));
  BOOST_CHECK(contains(csv, ",9/12 3/6,,,,"));
}

BOOST_AUTO_TEST_CASE(the_table_says_everything_for_people) {
  auto table = table_text(sample_results(case_of("paper-7b")), BenchClock::virtual_time);
  BOOST_TEST_MESSAGE(table);
  for (const char* part : {"virtual clock: exact", "states: f32)", "4.00 (3.88 ± 1.24)",
                           "10.00 (10.00 ± 0.00)", "2.00", "2.50 ± 0.00", "2.80", "190/40 = 4.8",
                           "55 %", "75  50", "80, 10, 20", "draft →", "50.00"})
    BOOST_CHECK_MESSAGE(contains(table, part), part);
  BOOST_CHECK(contains(table_text({}, BenchClock::real), "real clock"));
  BOOST_CHECK(contains(table, "chunk-pp    ar  ") && !contains(table, "ar  flowspec"));
  auto off = sample_results(case_of("", "hold"));
  BOOST_CHECK(contains(table_text(off, BenchClock::real), "flowspec without hold"));
  BOOST_CHECK(contains(table_text(off, BenchClock::real), "chunk-pp    ar  flowspec"));
  // Of several drafts each line names its own.
  auto drafts = sample_results(case_of("", "", "lookup"));
  drafts.push_back(sample_results(case_of("", "", "self"))[1]);
  BOOST_CHECK(contains(table_text(drafts, BenchClock::real), "flowspec, draft lookup"));
  BOOST_CHECK(contains(table_text(drafts, BenchClock::real), "flowspec, draft self"));
}

BOOST_AUTO_TEST_CASE(the_table_fits_a_terminal_whatever_it_is_of) {
  const std::string far = "/home/somebody/models/that/have/long/names/a-draft.gguf";
  const std::string profile = "/home/somebody/devices/that/somebody/has/measured/boards.toml";
  for (std::size_t stages : {1U, 4U, 16U}) {
    std::vector<CellResult> results;
    for (const char* ablation : {"", "expansion", "score_order"})
      for (const auto& draft : {std::string("lookup"), far}) {
        auto run = sample_run(case_of(profile.c_str(), ablation, draft.c_str()));
        run.devices.resize(1);
        run.hops.clear();
        for (std::size_t i = 0; i < stages; ++i) {
          run.devices.push_back({fmt::format("stage {}", i), 8, 1, 11, 123'456'789, 20, 10});
          run.hops.push_back({fmt::format("stage {}", i), fmt::format("stage {}", i + 1), 1, 1234});
        }
        results.push_back({summarize(run), ""});
        results.back().summary.decode_rate = 123'456;
        results.back().summary.decode_rates = {123'456, 12'345};
        results.push_back({summarize(run), "node " + far + " did not answer in time, nor later"});
      }
    auto table = table_text(results, BenchClock::real);
    BOOST_TEST_MESSAGE(table);
    check_width(table);
    // Nothing has gone.
    for (std::size_t i = 0; i < stages; ++i)
      BOOST_TEST(contains(table, fmt::format("stage {}", i)));
    for (const char* part : {"123456 (123456 ± 12345)", "10.00 (10.00 ± 0.00)", "2.50 ± 0.00",
                             "2.80", "80, 10, 20", "1234000.00", "…", "a-draft.gguf"})
      BOOST_TEST(contains(table, part), part);
  }
}

BOOST_AUTO_TEST_CASE(tables_are_cut_between_columns) {
  TextTable table({"name", "a", "two\nlines", "c"});
  table.add({"x", "1", "2", "3"});
  table.add({"longer", "1000", "20"});
  BOOST_TEST(table.text(80) ==
             "                two\n"
             "name       a  lines  c\n"
             "x          1      2  3\n"
             "longer  1000     20\n");
  BOOST_TEST(table.text(18) ==
             "name       a\n"
             "x          1\n"
             "longer  1000\n"
             "\n"
             "          two\n"
             "name    lines  c\n"
             "x           2  3\n"
             "longer     20\n");
  BOOST_TEST(end_of("äöü", 3) == "äöü");
  BOOST_TEST(end_of("äöü", 2) == "…ü");
}

BOOST_AUTO_TEST_CASE(devices_are_in_the_order_of_the_pipeline) {
  BOOST_CHECK((devices_of(sample_trace()) ==
               std::vector<std::string>{"draft", "stage 0", "stage 2", "stage 10"}));
}

BOOST_AUTO_TEST_CASE(the_trace_has_every_segment_draft_and_prune) {
  auto json = Json::parse(chrome_trace({}, sample_trace()));
  std::map<std::string, int> phases;
  for (const Json& event : json["traceEvents"])
    ++phases[event["ph"]];
  // A thread per device has a name and a place; the process has a name.
  BOOST_CHECK((phases == std::map<std::string, int>{
                             {"M", 1 + 4 * 2}, {"X", 5}, {"b", 1}, {"e", 1}, {"i", 1 + 2}}));
  for (const Json& event : json["traceEvents"])
    if (event["name"] == "segment 7" && event["tid"] == 2) {
      BOOST_CHECK_CLOSE(event["ts"].get<double>(), 600000, 1e-9);  // microseconds
      BOOST_CHECK_CLOSE(event["dur"].get<double>(), 1000000, 1e-9);
      BOOST_CHECK_EQUAL(event["args"]["rows_kept"], 1);
    }
  BOOST_CHECK(Json::parse(chrome_trace({}, {})).contains("traceEvents"));
}

BOOST_AUTO_TEST_CASE(text_is_escaped_for_xml) {
  BOOST_CHECK_EQUAL(xml_escaped("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
  BOOST_CHECK_EQUAL(xml_escaped("\xC3\xA4\x01\xFF\xC3"), "\xC3\xA4???");
}

BOOST_AUTO_TEST_CASE(the_picture_is_sound_xml_with_a_lane_per_device) {
  auto trace = sample_trace();
  trace.push_back({TraceEvent::Kind::segment, "stage 0", "", std::nan(""), 1, 1, 1, 1});
  trace.push_back({TraceEvent::Kind::draft, "<&\">", "", 1, INFINITY, 1, 1, 1});
  auto svg = timeline_svg(case_of("<&\">"), trace, {.from = 0, .length = 4});
  BOOST_CHECK_EQUAL(xml_problem(svg), "");
  for (const char* part : {">1/4<", ">4/4<", ">stage 10<", "&lt;&amp;&quot;&gt;", ">seconds<",
                           "segment 7: 1 of 4 rows kept, 0.6000 to 1.6000 s", "#arrow"})
    BOOST_CHECK_MESSAGE(contains(svg, part), part);
  BOOST_CHECK(!std::regex_search(svg, std::regex("=\"-?(nan|inf)")));
  BOOST_CHECK_EQUAL(xml_problem(timeline_svg({}, {}, {})), "");
}

BOOST_AUTO_TEST_CASE(devices_that_only_send_prunes_have_no_lane) {
  auto trace = sample_trace();
  for (TraceEvent& event : trace)
    if (event.kind == TraceEvent::Kind::prune)
      event.device = "pruner";
  auto count = [](const std::string& svg) {
    const std::string arrow = "marker-end";
    std::size_t arrows = 0;
    for (auto at = svg.find(arrow); at != std::string::npos; at = svg.find(arrow, at + 1))
      ++arrows;
    return arrows;
  };
  auto svg = timeline_svg({}, trace, {.from = 0, .length = 4});
  BOOST_CHECK(!contains(svg, ">pruner<"));
  BOOST_CHECK_EQUAL(count(svg), 2U + 1U);  // and one in the legend
  BOOST_CHECK_EQUAL(svg, timeline_svg({}, sample_trace(), {.from = 0, .length = 4}));
}

BOOST_AUTO_TEST_CASE(the_picture_shows_only_its_window) {
  auto svg = timeline_svg({}, sample_trace(), {.from = 1.7, .length = 0.5});
  BOOST_CHECK(contains(svg, ">0/4<"));
  BOOST_CHECK(!contains(svg, ">1/4<") && !contains(svg, ">4/4<"));
  BOOST_CHECK_EQUAL(xml_problem(svg), "");
}

BOOST_AUTO_TEST_CASE(the_window_begins_where_text_is_generated) {
  auto trace = sample_trace();
  auto window = timeline_window(trace, {}, {});
  BOOST_CHECK_CLOSE(window.from, 3.6, 1e-9);  // the first verification
  BOOST_CHECK_CLOSE(window.length, 0.15, 1e-6);
  window = timeline_window(trace, 1, {});  // two segments of a second begin after it
  BOOST_CHECK_CLOSE(window.length, 2.75, 1e-9);
  window = timeline_window(trace, 0.5, 2);
  BOOST_CHECK(window.from == 0.5 && window.length == 2);
  BOOST_CHECK_EXCEPTION(timeline_window(trace, 9, {}), RuntimeError, [](const RuntimeError& e) {
    return contains(e.what(), "--plot-from 9") && contains(e.what(), "3.75");
  });
}
