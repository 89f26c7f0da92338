#pragma once

#include <string>
#include <vector>

#include "runtime/bench/bench_run.hpp"

namespace flowspec {

/// A run as Chrome trace events (JSON), which https://ui.perfetto.dev opens: a thread per device
/// with its segments, drafts and verifications; prunes as instants where they leave and arrive;
/// transfers as tracks of their own.
std::string chrome_trace(const BenchCase& what, const std::vector<TraceEvent>& trace);

/// Names of the devices that did something, in pipeline order: first those that are not stages,
/// then the stages by number.
std::vector<std::string> devices_of(const std::vector<TraceEvent>& trace);

}  // namespace flowspec
