#include "runtime/bench/bench_options.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "actors/policy/modes/modes.hpp"
#include "models/sampling/filters.hpp"
#include "runtime/bench/cells.hpp"
#include "runtime/bench/fault.hpp"
#include "runtime/cluster/network_options.hpp"
#include "runtime/console/cli.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

namespace {

constexpr const char* footer =
    R"(Lists are separated by commas; every combination of them is measured, over all prompts.
Without a list, --virtual measures the suite "paper"; this can take an hour.

Examples:
  flowspec bench --virtual --modes ar,chunk-pp,flowspec --prompt-count 10
  flowspec bench --virtual --suite smoke --json smoke.json
  flowspec bench --virtual --modes flowspec --profile paper-13b --prompt-count 1 \
                 --max-tokens 64 --plot timeline.svg --trace trace.json
  flowspec bench --virtual --profile paper-7b --fault kill:stage2@5s
  flowspec bench --virtual --requests 2,4 --profile paper-7b,paper-13b -t 0,1
  flowspec bench --modes ar,flowspec --node board-1 --node board-2 --prompt-count 5

Exit codes: 0 done, 1 a run failed, 2 wrong options or files.)";

template <class T>
CLI::Option* add_list(CLI::App& app, const std::string& name, std::vector<T>& list,
                      const std::string& text) {
  return app.add_option(name, list, text)->delimiter(',')->take_all()->allow_extra_args(false);
}

void add_what(CLI::App& app, BenchOptions& options) {
  auto* what = app.add_option_group("What to measure");
  what->add_option("--suite", options.suite,
                   "A named set instead of the lists: paper (the published modes and devices, "
                   "temperatures 0 and 1, link speeds), ablation (each mechanism off in turn), "
                   "smoke (a minute or two)")
      ->check(CLI::IsMember(suite_names()));
  add_list(*what, "--modes", options.modes,
           fmt::format("How to decode (default: {})", fmt::join(published_mode_names(), ", ")))
      ->check(CLI::IsMember(std::vector<std::string>(mode_names().begin(), mode_names().end())));
  add_list(*what, "--profile", options.profiles,
           "Devices to emulate, by name or file (default with --virtual: paper-7b; else this "
           "machine as it is)")
      ->type_name("NAME");
  add_list(*what, "-t,--temperature", options.temperatures, "Temperatures (default 0)");
  add_list(*what, "--link-mbps", options.link_mbps,
           "Speeds of the emulated links in Mb/s (default: as the profile says)");
  add_list(*what, "--coupled", options.coupled,
           "Whether the draft knows the dice that the model will throw and learns how far it is "
           "off: on, off (default on)")
      ->check(CLI::IsMember({"on", "off"}));
  what->add_option("-m,--model", options.model,
                   "What is computed, as for generate (default: the pair that comes with the "
                   "program)");
  add_list(*what, "-d,--draft", options.drafts, "What guesses ahead, as for generate");
  add_list(*what, "--draft-type", options.draft_types, draft_type_help)
      ->check(CLI::IsMember(draft_type_names()));
  add_list(*what, "--draft-vocabulary", options.draft_vocabularies,
           fmt::format("{}; all is no list", draft_vocabulary_help))
      ->type_name("FILE");
  add_list(*what, "--ablation", options.ablations,
           "What of flowspec to switch off, one at a time; none is flowspec as it is, all is none "
           "and every name");
  what->add_option("--stages", options.stages, "Stages (default: as the profile says)")
      ->check(CLI::Range(1, 4096));
  what->add_option("--controller", options.controller,
                   "Adapt to the devices while running: on, off (default on)")
      ->transform(CLI::IsMember({"on", "off"}));
  what->add_flag("--modelled", options.modelled,
                 "Add what tensor parallelism (Megatron, Galaxy) would bring on the emulated "
                 "devices: computed, not run; chunk-pp has to be among the modes");
  add_list(*what, "--fault", options.faults,
           "With --virtual: lose the device of a stage in mid-text, as kill:stage2@5s: 5 s after a "
           "text's first token (also ms). A spare device takes its layers. Each text is checked "
           "against the undisturbed one, and the table shows the pause and the speed with replay, "
           "without the log, and with a full re-read (default modes: ar, flowspec; 10 prompts)")
      ->type_name("kill:stageN@TIME");
  add_kv_type_option(*what, options.kv_type);
  add_list(*what, "--hidden-type", options.hidden_types,
           fmt::format("{} (default: as the profile says, else f32)", hidden_type_help))
      ->check(CLI::IsMember(hidden_type_names()));
  add_numerics_option(*what, options.numerics);
}

void add_text(CLI::App& app, BenchOptions& options) {
  auto* text = app.add_option_group("Text");
  text->add_option("--prompts", options.prompts_file,
                   "Prompts, one per line: plain, or objects like {\"prompt\": \"Once\"} (default: "
                   "held-out stories of the model that comes with the program)")
      ->type_name("FILE");
  text->add_option("--prompt-count", options.prompt_count,
                   "Take the first N prompts (default 60, suite smoke 4)")
      ->check(CLI::Range(1, 1 << 20));
  text->add_option("--skip-prompts", options.skipped_prompts,
                   "Leave out the first N prompts of the file (default 0)")
      ->check(CLI::Range(0, 1 << 20));
  text->add_option("-n,--max-tokens", options.max_tokens,
                   "Tokens to write per prompt (default 256, suite smoke 64)")
      ->check(CLI::Range(1, 1 << 20));
  text->add_option("-s,--seed", options.seed, "Number that decides the sampling");
}

void add_load(CLI::App& app, BenchOptions& options) {
  auto* load = app.add_option_group("Many requests at once");
  add_list(*load, "--requests", options.requests,
           "Answer so many at the same time, each with the next prompt when its last is answered; "
           "compared with one at a time, text by text (default modes: flowspec; 20 prompts)")
      ->check(CLI::Range(1, 4096))
      ->type_name("N");
  load->add_option("--arrival", options.arrival,
                   "Requests arrive at random, on average so many a second, instead of when there "
                   "is room; at most --requests are answered at the same time (default: all)")
      ->type_name("PER_SECOND");
  load->add_option("--long-prompt", options.long_prompt,
                   "Beside them, read a prompt of so many tokens (default --requests 1)")
      ->check(CLI::Range(1, 1 << 19))
      ->type_name("TOKENS");
}

void add_where(CLI::App& app, BenchOptions& options) {
  auto* where = app.add_option_group("Where");
  where->add_flag("--virtual", options.is_virtual,
                  "Emulated devices and a virtual clock: exact figures, the same every time");
  add_cluster_options(*where, options.cluster_file, options.nodes);
  where
      ->add_option("-j,--jobs", options.jobs,
                   "With --virtual: runs side by side (default: all cores); changes no figure")
      ->check(CLI::Range(1, 1024));
}

void add_output(CLI::App& app, BenchOptions& options) {
  auto* output = app.add_option_group("Output", "Besides the table on standard output");
  output->add_option("--json", options.json_file, "Write all figures as JSON")->type_name("FILE");
  output->add_option("--csv", options.csv_file, "Write the table as CSV")->type_name("FILE");
  output
      ->add_option("--trace", options.trace_file,
                   "Write what every device did when, for Perfetto (a single run only)")
      ->type_name("FILE");
  output
      ->add_option("--plot", options.plot_file,
                   "Draw the pipeline's timeline, an SVG (a single run only)")
      ->type_name("FILE");
  output
      ->add_option("--plot-from", options.plot_from,
                   "Second at which the picture begins (default: the first verification)")
      ->type_name("SECONDS");
  output
      ->add_option("--plot-window", options.plot_window,
                   "Seconds that the picture shows (default: some segments of every stage)")
      ->type_name("SECONDS");
  output->add_flag("-q,--quiet", options.quiet, "No progress on standard error");
  output->add_flag("-v,--verbose", options.verbose, "Say which kernels computed in this process");
}

void check_numbers(const BenchOptions& options) {
  for (float temperature : options.temperatures)
    if (auto problem = find_problem(SamplerOptions{.temperature = temperature}))
      throw RuntimeError(fmt::format("--temperature: {}", *problem));
  for (double mbps : options.link_mbps)
    if (!std::isfinite(mbps) || mbps <= 0)
      throw RuntimeError(fmt::format("--link-mbps {} has to be more than 0", mbps));
  if (options.plot_from && (!std::isfinite(*options.plot_from) || *options.plot_from < 0))
    throw RuntimeError(fmt::format("--plot-from {} has to be 0 or more", *options.plot_from));
  if (options.plot_window && (!std::isfinite(*options.plot_window) || *options.plot_window <= 0))
    throw RuntimeError(fmt::format("--plot-window {} has to be more than 0", *options.plot_window));
}

void check_faults(const BenchOptions& options) {
  if (options.faults.empty())
    return;
  for (const std::string& fault : options.faults)
    parse_fault(fault);
  if (options.faults.size() > most_faults)
    throw RuntimeError(fmt::format("--fault: {} losses in a text, at most {} are recovered from",
                                   options.faults.size(), most_faults));
  if (!options.is_virtual)
    throw RuntimeError(
        "--fault is for emulated devices in virtual time: add --virtual (to lose real nodes, kill "
        "them during generate, which shows the pause)");
  if (!options.trace_file.empty() || !options.plot_file.empty())
    throw RuntimeError(
        "--trace and --plot show an undisturbed run only: leave them out, or --fault");
}

bool has_load(const BenchOptions& options) {
  return !options.requests.empty() || options.arrival || options.long_prompt;
}

void check_load(const BenchOptions& options) {
  if (!has_load(options))
    return;
  if (options.arrival && !(std::isfinite(*options.arrival) && *options.arrival > 0))
    throw RuntimeError(fmt::format("--arrival {} has to be more than 0", *options.arrival));
  if (!options.faults.empty())
    throw RuntimeError(
        "--fault disturbs one text at a time: leave it out, or --requests, --arrival and "
        "--long-prompt");
  if ((!options.trace_file.empty() || !options.plot_file.empty()) && options.requests.size() > 1)
    throw RuntimeError("--trace and --plot show a single run only: give --requests one number");
}

void check_files(const BenchOptions& options) {
  const std::vector<std::pair<const char*, const std::string*>> files{
      {"--json", &options.json_file},
      {"--csv", &options.csv_file},
      {"--trace", &options.trace_file},
      {"--plot", &options.plot_file}};
  for (auto a = files.begin(); a != files.end(); ++a)
    for (auto b = a + 1; b != files.end(); ++b)
      if (!a->second->empty() && *a->second == *b->second)
        throw RuntimeError(fmt::format("{} and {} name the same file, {}; give each its own",
                                       a->first, b->first, *a->second));
}

}  // namespace

void add_bench(CLI::App& app, BenchOptions& options) {
  add_what(app, options);
  add_text(app, options);
  add_load(app, options);
  add_where(app, options);
  add_output(app, options);
  add_network_options(app, options.network);
  app.footer(footer);
}

bool names_cells(const BenchOptions& options) {
  return !options.modes.empty() || !options.profiles.empty() || !options.temperatures.empty() ||
         !options.link_mbps.empty() || !options.drafts.empty() || !options.draft_types.empty() ||
         !options.draft_vocabularies.empty() || !options.ablations.empty() ||
         !options.coupled.empty() || !options.model.empty();
}

void check(const BenchOptions& options) {
  bool is_remote = !options.nodes.empty() || !options.cluster_file.empty();
  if (!options.suite.empty() && names_cells(options))
    throw RuntimeError(
        "--suite says itself what is measured: leave out --modes, --profile, --temperature, "
        "--link-mbps, --model, --draft, --draft-type, --draft-vocabulary, --coupled and "
        "--ablation, "
        "or leave out --suite");
  if (options.is_virtual && is_remote)
    throw RuntimeError(
        "--virtual runs in this process by a virtual clock: leave it out, or --node and --cluster");
  if (options.jobs && !options.is_virtual)
    throw RuntimeError(
        "--jobs is for --virtual only: real runs side by side would slow each other down");
  if (!options.link_mbps.empty() && !options.is_virtual && options.profiles.empty())
    throw RuntimeError(
        "--link-mbps is for emulated devices only: name some with --profile, or say --virtual");
  if ((options.plot_from || options.plot_window) && options.plot_file.empty())
    throw RuntimeError("--plot-from and --plot-window need the picture: name it with --plot");
  check_numbers(options);
  check_files(options);
  check_faults(options);
  check_load(options);
}

}  // namespace flowspec
