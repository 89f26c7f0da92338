#pragma once

#include <functional>
#include <iosfwd>
#include <vector>

#include "runtime/bench/bench_options.hpp"
#include "runtime/bench/cells.hpp"
#include "runtime/bench/prompts.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

/// Runs one cell over all prompts. The trace is filled in unless it is null. Throws RuntimeError:
/// with the exit code `usage` it ends the whole benchmark, with any other code only its cell. With
/// --virtual several threads call it at the same time.
using BenchRunner = std::function<BenchRun(const BenchCase&, const std::vector<BenchPrompt>&,
                                           std::vector<TraceEvent>* trace)>;

/// The command `flowspec bench`: the table goes to `out`, progress to `progress`. A cell that fails
/// is reported, and the others go on. Throws RuntimeError if nothing can be measured.
ExitCode bench(const BenchOptions& options, const BenchNames& names, const BenchRunner& runner,
               std::ostream& out, std::ostream& progress);

}  // namespace flowspec
