#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "runtime/bench/timeline_svg.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

bool is_sound(const TraceEvent& event) {
  return std::isfinite(event.start_s) && std::isfinite(event.end_s) && event.start_s <= event.end_s;
}

TimelineWindow timeline_window(const std::vector<TraceEvent>& trace, std::optional<double> from,
                               std::optional<double> length) {
  double end = 0;
  std::optional<double> first_verify;
  for (const TraceEvent& event : trace) {
    if (!is_sound(event))
      continue;
    end = std::max(end, event.end_s);
    if (event.kind == TraceEvent::Kind::verify)
      first_verify = std::min(first_verify.value_or(event.start_s), event.start_s);
  }
  TimelineWindow window{.from = from.value_or(first_verify.value_or(0))};
  if (window.from >= end)
    throw RuntimeError(fmt::format("--plot-from {}: the run ends after {} s", window.from, end));
  double busy = 0;
  int segments = 0;
  for (const TraceEvent& event : trace)
    if (is_sound(event) && event.kind == TraceEvent::Kind::segment &&
        event.start_s >= window.from) {
      busy += event.end_s - event.start_s;
      ++segments;
    }
  constexpr double segments_shown = 20;
  window.length = length.value_or(busy > 0 ? segments_shown * busy / segments : end);
  window.length = std::min(window.length, end - window.from);
  return window;
}

}  // namespace flowspec
