#pragma once

#include <iosfwd>

#include "runtime/console/error.hpp"
#include "runtime/hop_bench/hop_bench_options.hpp"

namespace flowspec {

/// The command `flowspec bench hop`: how long messages take to another process, by size, and how long a
/// control message waits behind a large segment on a slow link. Throws RuntimeError.
ExitCode run_hop_bench(const HopBenchOptions& options, std::ostream& out);

}  // namespace flowspec
