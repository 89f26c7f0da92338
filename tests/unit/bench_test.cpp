/// What a benchmark measures: options, cells, prompts, figures, and the command with a runner that
/// only pretends.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "actors/policy/modes/modes.hpp"
#include "runtime/bench/bench_command.hpp"
#include "runtime/bench/summary.hpp"
#include "tests/support/bench_samples.hpp"
#include "tests/support/command_lines.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using test::check_error;
using test::sample_run;

namespace {

const BenchNames names{{"ar", "chunk-pp", "pruned-pp", "pipedec", "flowspec"}, {"hold", "pruning"}};

CommandLine parse_line(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "bench");
  return test::parse_line(std::move(arguments));
}

BenchOptions options_of(const std::vector<const char*>& arguments) {
  auto line = parse_line(arguments);
  BOOST_REQUIRE(line.bench);
  return *line.bench;
}

std::vector<std::string> titles(const std::vector<const char*>& arguments) {
  std::vector<std::string> list;
  for (const BenchCase& cell : plan_bench(options_of(arguments), names).cells)
    list.push_back(title_of(cell));
  return list;
}

std::size_t count(const std::vector<std::string>& list, const std::string& part) {
  return static_cast<std::size_t>(std::ranges::count_if(
      list, [&](const std::string& text) { return text.find(part) != std::string::npos; }));
}

using Titles = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_CASE(lists_are_separated_by_commas_and_may_be_repeated) {
  auto options = options_of({"--modes", "ar,flowspec", "--modes", "ar", "--profile", "a,b.json",
                             "-t", "0,0.5", "--link-mbps", "125,1000", "-d", "lookup,self",
                             "--virtual", "--controller", "off", "--kv-type", "f32", "-j", "3"});
  BOOST_CHECK((options.modes == Titles{"ar", "flowspec", "ar"}));
  BOOST_CHECK((options.profiles == Titles{"a", "b.json"}));
  BOOST_CHECK((options.temperatures == std::vector<float>{0, 0.5}));
  BOOST_CHECK((options.link_mbps == std::vector<double>{125, 1000}));
  BOOST_CHECK((options.drafts == Titles{"lookup", "self"}));
  BOOST_CHECK(options.is_virtual && !options.controller && options.jobs == 3U);
  BOOST_CHECK(options_of({}).controller);
  for (const BenchCase& cell : plan_bench(options, names).cells)
    BOOST_CHECK(cell.kv_type == KvType::f32);
}

BOOST_AUTO_TEST_CASE(options_that_contradict_each_other_are_refused) {
  check_error([] { parse_line({"--suite", "paper", "--modes", "ar"}); }, "--suite");
  check_error([] { parse_line({"--virtual", "--node", "a"}); }, "--virtual");
  check_error([] { parse_line({"--virtual", "--cluster", "a"}); }, "--virtual");
  check_error([] { parse_line({"--jobs", "2"}); }, "--jobs");
  check_error([] { parse_line({"--link-mbps", "100"}); }, "--link-mbps");
  check_error([] { parse_line({"--virtual", "--link-mbps", "0"}); }, "more than 0");
  check_error([] { parse_line({"--virtual", "--link-mbps", "nan"}); }, "is not a number");
  check_error([] { parse_line({"-t", "-1"}); }, "--temperature");
  check_error([] { parse_line({"--plot-window", "1"}); }, "--plot");
  check_error([] { parse_line({"--plot", "a", "--plot-window", "0"}); }, "--plot-window");
  check_error([] { parse_line({"--plot", "a", "--plot-from", "-1"}); }, "--plot-from");
  check_error([] { parse_line({"--json", "a", "--csv", "a"}); }, "same file");
  for (const std::vector<const char*>& wrong :
       std::vector<std::vector<const char*>>{{"--modes", "fast"},
                                             {"--suite", "x"},
                                             {"--controller", "maybe"},
                                             {"--prompt-count", "0"},
                                             {"--stages", "0"},
                                             {"-n", "0"},
                                             {"text"}})
    check_error([&] { parse_line(wrong); }, "flowspec bench --help");
}

BOOST_AUTO_TEST_CASE(every_combination_of_the_lists_is_a_cell) {
  BOOST_CHECK((titles({"--modes", "ar,flowspec", "--profile", "a,b", "-t", "0,1"}) ==
               Titles{"ar, a, T = 0", "flowspec, a, T = 0", "ar, a, T = 1", "flowspec, a, T = 1",
                      "ar, b, T = 0", "flowspec, b, T = 0", "ar, b, T = 1", "flowspec, b, T = 1"}));
  BOOST_CHECK(
      (titles({"--modes", "flowspec,flowspec"}) == Titles{"flowspec, this machine, T = 0"}));
  BOOST_CHECK(
      (titles({"--virtual", "--modes", "flowspec"}) == Titles{"flowspec, paper-7b, T = 0"}));
  BOOST_CHECK(titles({}).size() == names.modes.size());
  BOOST_CHECK(names.modes == published_mode_names());
  for (std::string_view mode : published_mode_names())
    BOOST_CHECK(std::ranges::count(mode_names(), mode) == 1);
  // Any other mode is measured if it is named.
  BOOST_CHECK((titles({"--modes", "chain,chain-pp"}) ==
               Titles{"chain, this machine, T = 0", "chain-pp, this machine, T = 0"}));
}

BOOST_AUTO_TEST_CASE(plain_decoding_has_no_draft_and_only_flowspec_has_ablations) {
  BOOST_CHECK((titles({"--modes", "ar,chunk-pp", "--draft", "lookup,self"}) ==
               Titles{"ar, this machine, T = 0", "chunk-pp, this machine, T = 0, draft lookup",
                      "chunk-pp, this machine, T = 0, draft self"}));
  BOOST_CHECK((titles({"--modes", "ar,flowspec", "--ablation", "all,hold"}) ==
               Titles{"ar, this machine, T = 0", "flowspec, this machine, T = 0",
                      "flowspec without hold, this machine, T = 0",
                      "flowspec without pruning, this machine, T = 0"}));
  BOOST_CHECK((titles({"--modes", "flowspec", "--ablation", "hold"}) ==
               Titles{"flowspec without hold, this machine, T = 0"}));
  check_error([] { titles({"--modes", "ar", "--ablation", "hold"}); }, "flowspec");
  check_error([] { titles({"--ablation", "luck"}); }, "none, all, hold, pruning");
  check_error([] { titles({"--virtual", "--modes", "ar", "--modelled"}); }, "chunk-pp");
  check_error([] { titles({"--modes", "chunk-pp", "--modelled"}); }, "--profile");
  BOOST_TEST(titles({"--virtual", "--modes", "chunk-pp", "--modelled"}).size() == 1U);
}

BOOST_AUTO_TEST_CASE(only_drafts_with_weights_have_types) {
  BOOST_CHECK((titles({"--modes", "ar,flowspec", "--draft-type", "as-is,q8_0"}) ==
               Titles{"ar, this machine, T = 0", "flowspec, this machine, T = 0",
                      "flowspec, this machine, T = 0, draft default (q8_0)"}));
  BOOST_CHECK((titles({"--modes", "chunk-pp", "--draft", "lookup,self", "--draft-type", "q4_0"}) ==
               Titles{"chunk-pp, this machine, T = 0, draft lookup",
                      "chunk-pp, this machine, T = 0, draft self (q4_0)"}));
  BOOST_CHECK_EQUAL(titles({"--virtual", "--draft-type", "q8_0"}).size(), names.modes.size());
  check_error([] { titles({"--draft", "lookup", "--draft-type", "q8_0"}); }, "--draft-type is for");
  check_error([] { parse_line({"--suite", "paper", "--draft-type", "q8_0"}); }, "--draft-type");
  auto cells = plan_bench(options_of({"--modes", "flowspec", "--draft-type", "q8_0"}), names).cells;
  BOOST_REQUIRE_EQUAL(cells.size(), 1U);
  BOOST_CHECK(cells[0].draft_type == LoadType::q8_0);
}

BOOST_AUTO_TEST_CASE(hidden_states_are_rounded_as_the_profile_says_unless_a_type_is_named) {
  for (const BenchCase& cell : plan_bench(options_of({"--profile", "paper-7b"}), names).cells)
    BOOST_TEST(!cell.hidden_type.has_value());
  BOOST_CHECK((titles({"--modes", "ar", "--hidden-type", "f16,f32,f16"}) ==
               Titles{"ar, this machine, T = 0, f16 hidden states",
                      "ar, this machine, T = 0, f32 hidden states"}));
  // A suite is measured with each type.
  auto smoke = titles({"--suite", "smoke"});
  auto both = titles({"--suite", "smoke", "--hidden-type", "f32,bf16"});
  BOOST_CHECK_EQUAL(both.size(), 2 * smoke.size());
  BOOST_CHECK_EQUAL(count(both, "bf16 hidden states"), smoke.size());
}

BOOST_AUTO_TEST_CASE(only_drafts_with_weights_have_a_vocabulary) {
  BOOST_CHECK((titles({"--modes", "ar,flowspec", "--draft-vocabulary", "all,lists/few.txt"}) ==
               Titles{"ar, this machine, T = 0", "flowspec, this machine, T = 0",
                      "flowspec, this machine, T = 0, draft default (tokens of few.txt)"}));
  BOOST_CHECK((titles({"--modes", "flowspec", "--draft", "lookup,head", "--draft-type", "q8_0",
                       "--draft-vocabulary", "few.txt"}) ==
               Titles{"flowspec, this machine, T = 0, draft lookup",
                      "flowspec, this machine, T = 0, draft head (q8_0, tokens of few.txt)"}));
  check_error(
      [] {
        parse_line({"--suite", "paper", "--draft-vocabulary", "few.txt"});
      },
      "--draft-vocabulary");
}

BOOST_AUTO_TEST_CASE(the_suite_paper_has_all_modes_devices_temperatures_and_link_speeds) {
  auto all = titles({"--virtual"});
  BOOST_CHECK(all == titles({"--virtual", "--suite", "paper"}));
  BOOST_CHECK_EQUAL(all.size(), 5U * 2 * 2 + 5U * 2 * 3 + 2U * 2);
  BOOST_CHECK_EQUAL(std::set<std::string>(all.begin(), all.end()).size(), all.size());
  for (const char* speed : {"125", "250", "500"})
    BOOST_CHECK_EQUAL(count(all, std::string("T = 0, ") + speed + " Mb/s"), 10U);
  BOOST_CHECK_EQUAL(count(all, "paper-13b, T = 1, 1000 Mb/s"), 5U);
  BOOST_CHECK_EQUAL(count(all, "T = 0, 1000 Mb/s, f32 hidden states"), 4U);
  auto plan = plan_bench(options_of({"--virtual"}), names);
  BOOST_CHECK(plan.prompts == 60 && plan.cells[0].max_tokens == 256);
}

BOOST_AUTO_TEST_CASE(the_other_suites) {
  auto ablation = titles({"--virtual", "--suite", "ablation"});
  BOOST_CHECK_EQUAL(ablation.size(), 2U * (3 + 2 + 1));
  BOOST_CHECK_EQUAL(count(ablation, "draft default (tokens of frequent.txt)"), 2U);
  BOOST_CHECK_EQUAL(count(ablation, "flowspec without pruning"), 2U);
  auto smoke = plan_bench(options_of({"--virtual", "--suite", "smoke"}), names);
  BOOST_CHECK(smoke.cells.size() <= 12 && smoke.prompts == 4 && smoke.cells[0].max_tokens == 64);
  auto own =
      plan_bench(options_of({"--suite", "smoke", "-n", "5", "--stages", "3", "-s", "7"}), {});
  BOOST_CHECK(own.cells.empty());  // a program without any mode
  own = plan_bench(options_of({"--suite", "smoke", "-n", "5", "--stages", "3", "-s", "7"}), names);
  BOOST_CHECK(own.cells[0].max_tokens == 5 && own.cells[0].stages == 3 && own.cells[0].seed == 7);
}

BOOST_AUTO_TEST_CASE(a_picture_shows_a_single_run) {
  check_error([] { titles({"--virtual", "--plot", "a.svg"}); }, "make 54");
  check_error([] { titles({"-t", "0,1", "--modes", "ar", "--trace", "a"}); }, "--trace a");
  BOOST_CHECK_EQUAL(titles({"--modes", "ar", "--plot", "a.svg", "--trace", "b"}).size(), 1U);
}

BOOST_AUTO_TEST_CASE(prompts_are_lines_or_objects) {
  auto texts = [](const std::string& text) {
    Titles list;
    for (const BenchPrompt& prompt : parse_prompts(text, "f"))
      list.push_back(prompt.text);
    return list;
  };
  BOOST_CHECK((texts("One day\r\n\n  two\n{three") == Titles{"One day", "  two", "{three"}));
  BOOST_CHECK(
      (texts("{\"prompt\": \"a\\nb\", \"x\": 1}\n\n{\"prompt\": \"c\"}\n") == Titles{"a\nb", "c"}));
  check_error([&] { texts(""); }, "f has no prompts");
  check_error([&] { texts(" \n\n"); }, "f has no prompts");
  check_error([&] { texts("{\"prompt\": \"a\"}\n\nplain\n"); }, "f, line 3: no JSON");
  check_error([&] { texts("{\"prompt\": 3}"); }, "f, line 1: has to be an object");
  check_error([&] { texts("{\"prompt\": \"a\"}\n[]"); }, "f, line 2: has to be an object");
  check_error([&] { texts("{\"prompt\": \"\"}"); }, "f, line 1: \"prompt\" is empty");
  check_error([] { read_prompts("/nowhere/p.txt"); }, "/nowhere/p.txt");
  check_error([] { read_prompts("/tmp"); }, "/tmp: it is a folder");
}

BOOST_AUTO_TEST_CASE(the_first_prompts_are_taken) {
  const std::vector<BenchPrompt> three{{"a"}, {"b"}, {"c"}};
  BOOST_CHECK_EQUAL(take_prompts(three, "f", {}, 60).size(), 3U);
  BOOST_CHECK_EQUAL(take_prompts(three, "f", {}, 2).size(), 2U);
  BOOST_CHECK_EQUAL(take_prompts(three, "f", 1, 2).size(), 1U);
  check_error([&] { take_prompts(three, "f", 4, 2); }, "f has 3 prompts");
  auto heldout = read_prompts(test::source_path("models/embedded/heldout.jsonl"));
  BOOST_CHECK_EQUAL(heldout.size(), 100U);
  BOOST_CHECK(heldout[0].text.starts_with("Once upon a time, there was a little dog"));
}

BOOST_AUTO_TEST_CASE(mean_and_sample_standard_deviation) {
  auto spread = [](std::vector<double> values) { return spread_of(values); };
  BOOST_CHECK(spread({}).mean == 0 && spread({}).sd == 0);
  BOOST_CHECK(spread({3}).mean == 3 && spread({3}).sd == 0);
  BOOST_CHECK_CLOSE(spread({2, 4, 4, 4, 5, 5, 7, 9}).mean, 5, 1e-9);
  BOOST_CHECK_CLOSE(spread({2, 4, 4, 4, 5, 5, 7, 9}).sd, 2.13808993529939, 1e-9);
}

BOOST_AUTO_TEST_CASE(figures_of_a_run) {
  auto summary = summarize(sample_run({}));
  BOOST_CHECK_EQUAL(summary.prompts, 2U);
  BOOST_CHECK_CLOSE(summary.decode_rate, 28.0 / 7, 1e-9);  // the first tokens are the prefill's
  BOOST_CHECK_CLOSE(summary.decode_rates.mean, (3 + 4.75) / 2, 1e-9);
  BOOST_CHECK_CLOSE(summary.decode_rates.sd, 1.75 / std::sqrt(2), 1e-9);
  BOOST_CHECK_CLOSE(summary.prefill_rate, 10, 1e-9);
  BOOST_CHECK_SMALL(summary.prefill_rates.sd, 1e-9);
  BOOST_CHECK_CLOSE(summary.accept_length, 2.5, 1e-9);
  BOOST_CHECK_CLOSE(summary.tokens_per_segment, 2.8, 1e-9);
  BOOST_CHECK_EQUAL(summary.rows_computed, 190U);  // of the stages, not of the draft
  BOOST_CHECK_EQUAL(summary.rows_kept, 40U);
  BOOST_CHECK_EQUAL(summary.rows_dropped, 15U);
  BOOST_REQUIRE_EQUAL(summary.shares.size(), 3U);
  BOOST_CHECK_CLOSE(summary.shares[1].busy, 0.6, 1e-9);
  BOOST_CHECK_CLOSE(summary.shares[1].wasted, 0.2, 1e-9);
  BOOST_CHECK_CLOSE(summary.shares[1].idle, 0.4, 1e-9);
  BOOST_CHECK_CLOSE(summary.hops[0].mean_s, 0.05, 1e-9);
  BOOST_CHECK_EQUAL(summary.hops[1].mean_s, 0);
}

BOOST_AUTO_TEST_CASE(nothing_is_divided_by_nothing) {
  auto empty = summarize({});
  BOOST_CHECK(empty.decode_rate == 0 && empty.prefill_rate == 0 && empty.accept_length == 0 &&
              empty.tokens_per_segment == 0);
  BenchRun run;
  run.prompts = {{5, 1, 0, 1, 0}, {5, 0, 0, 1, 0}};  // ended with the first token, or before
  auto summary = summarize(run);
  BOOST_CHECK(summary.decode_rate == 0 && summary.decode_rates.mean == 0);
  BOOST_CHECK_CLOSE(summary.prefill_rate, 5, 1e-9);
}

BOOST_AUTO_TEST_CASE(speed_ups_pair_cells_that_agree_in_all_but_the_mode) {
  auto cell = [](const char* mode, float temperature, double rate, const char* draft = "",
                 const char* ablation = "") {
    BenchSummary summary;
    summary.what.mode = mode;
    summary.what.temperature = temperature;
    summary.what.draft = draft;
    summary.what.ablation = ablation;
    summary.decode_rate = rate;
    return summary;
  };
  std::vector<BenchSummary> cells{cell("ar", 0, 2, "none"),    cell("chunk-pp", 0, 4, "a"),
                                  cell("flowspec", 0, 8, "a"), cell("flowspec", 0, 6, "a", "hold"),
                                  cell("flowspec", 0, 8, "b"), cell("flowspec", 1, 5, "a")};
  add_speedups(cells);
  BOOST_CHECK(cells[0].over_ar == 1.0 && cells[0].over_chunk_pp == 0.5 && !cells[0].over_flowspec);
  BOOST_CHECK(cells[2].over_ar == 4.0 && cells[2].over_chunk_pp == 2.0);
  BOOST_CHECK(cells[3].over_chunk_pp == 1.5 && cells[3].over_flowspec == 0.75);
  BOOST_CHECK(cells[4].over_ar == 4.0 && !cells[4].over_chunk_pp);  // another draft
  BOOST_CHECK(!cells[5].over_ar && !cells[5].over_chunk_pp && cells[5].over_flowspec == 1.0);
}

namespace {

struct Outcome {
  ExitCode code = ExitCode::ok;
  std::string out;
  std::string progress;
};

Outcome run_bench(const std::vector<const char*>& arguments, const BenchRunner& runner) {
  std::ostringstream out;
  std::ostringstream progress;
  auto code = bench(options_of(arguments), names, runner, out, progress);
  return {code, out.str(), progress.str()};
}

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_output_does_not_depend_on_the_number_of_jobs) {
  std::atomic<int> calls = 0;
  auto runner = [&](const BenchCase& what, const std::vector<BenchPrompt>& prompts,
                    std::vector<TraceEvent>* trace) {
    BOOST_TEST_REQUIRE((prompts.size() == 2 && trace == nullptr));
    if (++calls % 3 == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return sample_run(what);
  };
  auto one = run_bench({"--virtual", "--prompt-count", "2", "-j", "1"}, runner);
  auto four = run_bench({"--virtual", "--prompt-count", "2", "-j", "4"}, runner);
  BOOST_CHECK_EQUAL(calls, 108);
  BOOST_CHECK(one.code == ExitCode::ok && one.out == four.out);
  BOOST_CHECK(one.out.find("virtual clock") != std::string::npos);
  BOOST_CHECK(four.progress.find("[54/54]") != std::string::npos);
  BOOST_CHECK(run_bench({"--modes", "ar", "-q", "--prompt-count", "2"}, runner).progress.empty());
}

BOOST_AUTO_TEST_CASE(a_cell_that_fails_does_not_take_the_others_with_it) {
  test::TempFolder folder;
  auto json = (folder / "b.json").string();
  auto outcome = run_bench({"--modes", "ar,flowspec", "--json", json.c_str()},
                           [](const BenchCase& what, const auto&, auto*) {
                             if (what.mode == "ar")
                               throw RuntimeError(ErrorCode::internal, "out of luck");
                             return sample_run(what);
                           });
  BOOST_CHECK(outcome.code == ExitCode::failed);
  BOOST_CHECK(outcome.out.find("FAILED ar, this machine, T = 0: out of luck") != std::string::npos);
  auto parsed = nlohmann::json::parse(content(json));
  BOOST_CHECK_EQUAL(parsed["runs"].size(), 1U);
  BOOST_CHECK_EQUAL(parsed["failed"][0]["error"], "out of luck");
}

BOOST_AUTO_TEST_CASE(a_mistake_of_the_user_ends_the_benchmark) {
  int calls = 0;
  check_error(
      [&] {
        run_bench({"--profile", "x"}, [&](const BenchCase&, const auto&, auto*) -> BenchRun {
          ++calls;
          throw RuntimeError("there is no profile x");
        });
      },
      "no profile x");
  BOOST_CHECK_EQUAL(calls, 1);
}

BOOST_AUTO_TEST_CASE(files_are_written_whole_and_checked_before_anything_runs) {
  test::TempFolder folder;
  auto file = [&](const char* name) { return (folder / name).string(); };
  auto runner = [](const BenchCase& what, const auto&, std::vector<TraceEvent>* trace) {
    BOOST_REQUIRE(trace != nullptr);
    *trace = test::sample_trace();
    return sample_run(what);
  };
  auto json = file("a.json");
  auto csv = file("a.csv");
  auto trace = file("a.trace");
  auto plot = file("a.svg");
  std::ofstream(plot) << "old";
  run_bench({"--modes", "ar", "--json", json.c_str(), "--csv", csv.c_str(), "--trace",
             trace.c_str(), "--plot", plot.c_str()},
            runner);
  BOOST_CHECK(content(json).starts_with("{"));
  BOOST_CHECK(content(csv).starts_with("mode,"));
  BOOST_CHECK(content(trace).starts_with("{"));
  BOOST_CHECK(content(plot).ends_with("</svg>\n"));
  BOOST_CHECK_EQUAL(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 4);

  auto never = [](const BenchCase&, const auto&, auto*) -> BenchRun {
    BOOST_ERROR("nothing may run");
    return {};
  };
  auto nowhere = file("no/a.json");
  check_error([&] { run_bench({"--json", nowhere.c_str()}, never); }, nowhere + " (--json)");
  auto whole = folder.path().string();
  check_error([&] { run_bench({"--csv", whole.c_str()}, never); }, "(--csv)");
  check_error([&] { run_bench({"--prompts", "/nowhere"}, never); }, "--prompts");
}
