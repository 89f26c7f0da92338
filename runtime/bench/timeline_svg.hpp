#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/bench/bench_run.hpp"

namespace flowspec {

/// The part of a run that is drawn, in seconds of the run.
struct TimelineWindow {
  double from = 0;
  double length = 1;
};

/// The window that the user asked for. What is not given defaults to: from the first verification,
/// long enough for some segments of every stage, and not beyond the end. Throws RuntimeError if
/// nothing happens within the window, or at all.
TimelineWindow timeline_window(const std::vector<TraceEvent>& trace, std::optional<double> from,
                               std::optional<double> length);

/// False for events that cannot be drawn: they end before they begin, or their times are not
/// finite.
bool is_sound(const TraceEvent& event);

/// A picture (SVG) of the pipeline: a lane per device over time; the colour of a segment shows how
/// much of it was kept; prunes are arrows.
std::string timeline_svg(const BenchCase& what, const std::vector<TraceEvent>& trace,
                         const TimelineWindow& window);

}  // namespace flowspec
