#pragma once
/// How long emulated devices and links take.

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "messages/setup_types.hpp"

namespace flowspec {

/// CAF's clock: the real one, or the virtual one of the deterministic scheduler.
using EmulationTime = std::chrono::steady_clock::time_point;
using EmulationSpan = std::chrono::nanoseconds;

/// Time of a forward of `rows` rows; 0 for no rows.
EmulationSpan forward_time(const EmulatedForward& forward, std::size_t rows);

/// Time that `bytes` keep a link busy; they arrive its latency later.
EmulationSpan transfer_time(const EmulatedLink& link, std::size_t bytes);

}  // namespace flowspec
