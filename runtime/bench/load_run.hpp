#pragma once
/// Runs the loads of a benchmark case, in virtual or real time: its requests one at a time, and then
/// so many at once.

#include <functional>
#include <vector>

#include "actors/emulation/timing.hpp"
#include "runtime/bench/bench_run.hpp"
#include "runtime/bench/load_client.hpp"
#include "runtime/bench/prompts.hpp"
#include "runtime/bench/recording.hpp"
#include "runtime/run/engine.hpp"

namespace flowspec {

/// What came of a load, and how to look at the devices meanwhile.
struct CarriedLoad {
  LoadLog log;
  /// When it began.
  EmulationTime zero;
  /// Outlives the call of run_loads().
  const Recording* recording = nullptr;
};

/// Carries a load through a pipeline. `round` counts from 0: the requests one at a time.
using LoadCarrier = std::function<CarriedLoad(Load load, std::size_t round)>;

/// Fills in `run.loads`, and the prompts and devices of `run` from the requests one at a time. Gives
/// their texts. Throws RuntimeError if a request fails, or if its text is not the one that it has alone.
std::vector<std::vector<Token>> run_loads(const Engine& engine,
                                          const std::vector<BenchPrompt>& prompts,
                                          const LoadCarrier& carry, BenchRun& run);

/// Tokens of the longest text of the case: prompt and answer.
std::uint32_t longest_text(const Engine& engine, const BenchCase& what,
                           const std::vector<BenchPrompt>& prompts);

}  // namespace flowspec
