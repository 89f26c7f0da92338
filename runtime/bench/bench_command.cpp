#include "runtime/bench/bench_command.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <ostream>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "actors/support/machine.hpp"
#include "models/kernels_text.hpp"
#include "runtime/bench/bench_report.hpp"
#include "runtime/bench/chrome_trace.hpp"
#include "runtime/bench/output_file.hpp"
#include "runtime/bench/tensor_parallel.hpp"
#include "runtime/bench/timeline_svg.hpp"
#include "runtime/run/embedded.hpp"

namespace flowspec {

namespace {

using SteadyClock = std::chrono::steady_clock;

/// Runs all cells, several at the same time; the results keep the order of the cells.
class CellRunner {
 public:
  CellRunner(const BenchPlan& plan, const std::vector<BenchPrompt>& prompts,
             const BenchRunner& runner, std::vector<TraceEvent>* trace, std::ostream* progress)
      : plan_(plan), prompts_(prompts), runner_(runner), trace_(trace), progress_(progress) {
    for (const BenchCase& cell : plan.cells)
      results_.emplace_back().summary.what = cell;
  }

  std::vector<CellResult> run(unsigned jobs) {
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 1; i < std::min<std::size_t>(jobs, plan_.cells.size()); ++i)
        threads.emplace_back([this] { run_cells(); });
      run_cells();
    }
    if (stopped_by_)
      std::rethrow_exception(stopped_by_);
    return std::move(results_);
  }

 private:
  void run_cells() {
    while (auto next = next_cell())
      run_cell(*next);
  }

  std::optional<std::size_t> next_cell() {
    std::lock_guard lock(mutex_);
    if (stopped_by_ || next_ == plan_.cells.size())
      return std::nullopt;
    return next_++;
  }

  void run_cell(std::size_t number) {
    const BenchCase& cell = plan_.cells[number];
    CellResult result = results_[number];
    auto start = SteadyClock::now();
    try {
      auto run = runner_(cell, prompts_, trace_);
      run.what = cell;  // what pairs up with other cells
      result.summary = summarize(run);
    } catch (const RuntimeError& e) {
      if (exit_code(e.code()) == ExitCode::usage) {
        std::lock_guard lock(mutex_);
        if (!stopped_by_)
          stopped_by_ = std::current_exception();
        return;
      }
      result.error = e.what();
    } catch (const std::exception& e) {
      result.error = e.what();
    }
    report(result, std::chrono::duration<double>(SteadyClock::now() - start).count());
    results_[number] = std::move(result);
  }

  void report(const CellResult& result, double seconds) {
    std::lock_guard lock(mutex_);
    ++done_;
    if (progress_ == nullptr)
      return;
    *progress_ << fmt::format("[{}/{}] {}: {} ({:.0f} s)\n", done_, plan_.cells.size(),
                              title_of(result.summary.what),
                              result.error.empty()
                                  ? fmt::format("{:.2f} tokens/s", result.summary.decode_rate)
                                  : "failed, " + result.error,
                              seconds)
               << std::flush;
  }

  const BenchPlan& plan_;
  const std::vector<BenchPrompt>& prompts_;
  const BenchRunner& runner_;
  std::vector<TraceEvent>* trace_;
  std::ostream* progress_;
  std::mutex mutex_;
  std::size_t next_ = 0;
  std::size_t done_ = 0;
  std::exception_ptr stopped_by_;
  /// Every element is written by the one thread that runs the cell.
  std::vector<CellResult> results_;
};

unsigned job_count(const BenchOptions& options) {
  if (!options.is_virtual)
    return 1;
  return options.jobs.value_or(usable_cores());
}

std::vector<BenchPrompt> prompts_for(const BenchOptions& options, std::uint32_t usual) {
  auto file =
      options.prompts_file.empty() ? embedded_file("heldout.jsonl").string() : options.prompts_file;
  return take_prompts(read_prompts(file), file, options.prompt_count, usual,
                      options.skipped_prompts);
}

}  // namespace

ExitCode bench(const BenchOptions& options, const BenchNames& names, const BenchRunner& runner,
               std::ostream& out, std::ostream& progress) {
  check(options);
  auto plan = plan_bench(options, names);
  auto prompts = prompts_for(options, plan.prompts);
  const OutputFile json("--json", options.json_file);
  const OutputFile csv("--csv", options.csv_file);
  const OutputFile trace_file("--trace", options.trace_file);
  const OutputFile plot("--plot", options.plot_file);

  std::vector<TraceEvent> trace;
  bool is_traced = trace_file.is_wanted() || plot.is_wanted();
  CellRunner cells(plan, prompts, runner, is_traced ? &trace : nullptr,
                   options.quiet ? nullptr : &progress);
  auto results = cells.run(job_count(options));
  if (options.modelled)
    add_tensor_parallel(results);

  std::vector<BenchSummary> summaries;
  summaries.reserve(results.size());
  for (const CellResult& result : results)
    summaries.push_back(result.summary);
  add_speedups(summaries);
  bool all_well = true;
  for (std::size_t i = 0; i < results.size(); ++i) {
    results[i].summary = std::move(summaries[i]);
    all_well = all_well && results[i].error.empty();
  }

  auto clock = options.is_virtual ? BenchClock::virtual_time : BenchClock::real;
  out << table_text(results, clock) << std::flush;
  if (options.verbose)
    out << kernels_text() << std::flush;
  json.write(bench_json(results, clock));
  csv.write(csv_text(results, clock));
  if (is_traced && all_well && trace.empty())
    throw RuntimeError("--trace and --plot are for emulated devices: name one with --profile");
  if (is_traced && all_well) {
    const BenchCase& what = plan.cells.front();
    trace_file.write(chrome_trace(what, trace));
    if (plot.is_wanted())
      plot.write(timeline_svg(what, trace,
                              timeline_window(trace, options.plot_from, options.plot_window)));
  }
  return all_well ? ExitCode::ok : ExitCode::failed;
}

}  // namespace flowspec
