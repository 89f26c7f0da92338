#pragma once

#include <iosfwd>

#include "runtime/console/error.hpp"
#include "runtime/engine_bench/engine_bench_options.hpp"

namespace flowspec {

/// The command `flowspec bench engine`: how fast this machine computes layers, without actors. The
/// table goes to `out`, progress to `progress`. Throws RuntimeError and ModelError.
ExitCode run_engine_bench(const EngineBenchOptions& options, std::ostream& out,
                          std::ostream& progress);

}  // namespace flowspec
