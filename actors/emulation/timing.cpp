#include "actors/emulation/timing.hpp"

#include <algorithm>
#include <cmath>

namespace flowspec {

EmulationSpan forward_time(const EmulatedForward& forward, std::size_t rows) {
  if (rows == 0)
    return {};
  auto ns = std::max(forward.least_ns, forward.row_ns * rows) + forward.fixed_ns;
  return EmulationSpan{static_cast<EmulationSpan::rep>(ns)};
}

EmulationSpan transfer_time(const EmulatedLink& link, std::size_t bytes) {
  if (link.bits_per_second == 0)
    return {};
  auto ns = static_cast<double>(bytes) * 8e9 / static_cast<double>(link.bits_per_second);
  return EmulationSpan{std::llround(ns)};
}

}  // namespace flowspec
