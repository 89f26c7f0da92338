#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/bench/bench_run.hpp"

namespace flowspec {

/// The part of a run that is drawn, in its seconds.
struct TimelineWindow {
  double from = 0;
  double length = 1;
};

/// What the user asked for; for the rest: from the first verification on, long enough for some
/// segments of every stage, and not beyond the end. Throws RuntimeError where nothing happens
/// within, or nothing at all.
TimelineWindow timeline_window(const std::vector<TraceEvent>& trace, std::optional<double> from,
                               std::optional<double> length);

/// False for events that cannot be drawn: they end before they begin, or have no times.
bool is_sound(const TraceEvent& event);

/// A picture (SVG) of the pipeline: a lane per device over the time, segments in the colour of how
/// much of them was kept, prunes as arrows.
std::string timeline_svg(const BenchCase& what, const std::vector<TraceEvent>& trace,
                         const TimelineWindow& window);

}  // namespace flowspec
