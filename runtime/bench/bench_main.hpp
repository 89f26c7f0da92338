#pragma once

#include "runtime/bench/bench_options.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

/// The command `flowspec bench` with the runner that the options ask for. Throws RuntimeError.
ExitCode run_bench(const BenchOptions& options);

}  // namespace flowspec
