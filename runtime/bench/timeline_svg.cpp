#include "runtime/bench/timeline_svg.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "runtime/bench/cells.hpp"
#include "runtime/bench/chrome_trace.hpp"
#include "runtime/bench/svg_writer.hpp"

namespace flowspec {

namespace {

using Kind = TraceEvent::Kind;

// Pixels.
constexpr double left = 70;
constexpr double right = 20;
constexpr double plot_width = 1200;
constexpr double first_lane = 72;
constexpr double lane_height = 30;
constexpr double lane_step = 56;
constexpr double axis_height = 34;
constexpr double character = 6.2;

constexpr const char* draft_fill = "#f6c85f";
constexpr const char* verify_fill = "#9b6fb5";
constexpr const char* prune_line = R"(stroke="#d62728" stroke-width="0.9" stroke-opacity="0.75")";
constexpr const char* marker = " marker-end=\"url(#arrow)\"";
constexpr const char* transfer_line = R"(stroke="#9aa5b1" stroke-width="0.8")";

struct Fill {
  std::string color;
  const char* text;
};

/// Few rows of a segment are ever kept, so the colour scale goes by the square root, which
/// separates small shares.
Fill fill_of(double share) {
  if (!(share > 0))
    return {"#e4e4e4", "#777777"};
  constexpr std::array<double, 3> light{198, 224, 242};
  constexpr std::array<double, 3> dark{8, 64, 129};
  double part = std::sqrt(std::min(share, 1.0));
  auto mix = [&](std::size_t i) {
    return static_cast<int>(std::lround(light.at(i) + (dark.at(i) - light.at(i)) * part));
  };
  return {fmt::format("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2)),
          part > 0.45 ? "#ffffff" : "#123456"};
}

/// 1, 2 or 5 times a power of ten.
double nice_step(double length, int steps) {
  double rough = length / steps;
  double power = std::pow(10, std::floor(std::log10(rough)));
  for (double factor : {1.0, 2.0, 5.0})
    if (rough <= factor * power)
      return factor * power;
  return 10 * power;
}

bool is_arrow(const TraceEvent& event) {
  return event.kind == Kind::transfer || event.kind == Kind::prune;
}

/// The devices with a lane.
std::vector<std::string> working_devices(const std::vector<TraceEvent>& trace) {
  auto devices = devices_of(trace);
  std::erase_if(devices, [&](const std::string& device) {
    return std::ranges::none_of(trace, [&](const TraceEvent& event) {
      return event.device == device && !is_arrow(event) && is_sound(event);
    });
  });
  return devices;
}

class Timeline {
 public:
  Timeline(const std::vector<TraceEvent>& trace, const TimelineWindow& window)
      : window_(window),
        lanes_(working_devices(trace)),
        svg_(left + plot_width + right, bottom() + axis_height) {}

  std::string draw(const BenchCase& what, const std::vector<TraceEvent>& trace) {
    svg_.raw(
        "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"5\" "
        "markerHeight=\"5\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#d62728\"/></marker>"
        "</defs>\n");
    svg_.text({left, 22}, title_of(what), R"(font-size="15" font-weight="bold")");
    draw_legend();
    draw_lanes();
    draw_axis();
    // Arrows are drawn below the jobs that they cross. A verification may interrupt a draft
    // forward, so it is drawn on top.
    for (Kind kind : {Kind::transfer, Kind::prune, Kind::draft, Kind::segment, Kind::verify})
      for (const TraceEvent& event : trace)
        if (event.kind == kind && is_sound(event) && is_visible(event))
          draw_event(event);
    return svg_.finish();
  }

 private:
  double bottom() const {
    return first_lane + lane_step * static_cast<double>(std::max<std::size_t>(lanes_.size(), 1));
  }
  double end() const { return window_.from + window_.length; }
  double x(double seconds) const {
    double part = (seconds - window_.from) / window_.length;
    return left + plot_width * std::clamp(part, 0.0, 1.0);
  }
  /// A party without work of its own, such as the pruner, is placed in the first lane, the draft's.
  double y(const std::string& device) const {
    auto lane = std::ranges::find(lanes_, device);
    auto number = lane == lanes_.end() ? 0 : lane - lanes_.begin();
    return first_lane + lane_step * static_cast<double>(number);
  }
  bool is_visible(const TraceEvent& event) const {
    return event.end_s >= window_.from && event.start_s <= end();
  }

  void draw_event(const TraceEvent& event) {
    if (is_arrow(event))
      draw_arrow(event);
    else
      draw_job(event);
  }

  void draw_job(const TraceEvent& event) {
    double width = std::max(x(event.end_s) - x(event.start_s), 0.5);
    auto times = fmt::format("{:.4f} to {:.4f} s", event.start_s, event.end_s);
    SvgPoint corner{x(event.start_s), y(event.device)};
    if (event.kind != Kind::segment) {
      bool drafts = event.kind == Kind::draft;
      svg_.rectangle(
          corner, width, lane_height,
          fmt::format(R"(fill="{}" stroke="#ffffff" stroke-width="0.5")",
                      drafts ? draft_fill : verify_fill),
          fmt::format("{}, {} rows, {}", drafts ? "draft" : "verify", event.rows, times));
      return;
    }
    auto fill = fill_of(event.rows == 0 ? 0 : static_cast<double>(event.rows_kept) / event.rows);
    svg_.rectangle(
        corner, width, lane_height,
        fmt::format(R"(fill="{}" stroke="#52606d" stroke-width="0.5" rx="2")", fill.color),
        fmt::format("segment {}: {} of {} rows kept, {}", event.segment, event.rows_kept,
                    event.rows, times));
    auto label = fmt::format("{}/{}", event.rows_kept, event.rows);
    if (character * static_cast<double>(label.size()) + 2 <= width)
      svg_.text({corner.x + width / 2, corner.y + lane_height / 2 + 4}, label,
                fmt::format(R"(text-anchor="middle" fill="{}")", fill.text));
  }

  /// From the edge of one lane to the edge of the other. An arrow that crosses the window's edge is
  /// cut there.
  void draw_arrow(const TraceEvent& event) {
    if (y(event.device) == y(event.to))
      return;
    bool down = y(event.to) > y(event.device);
    double y1 = y(event.device) + (down ? lane_height : 0);
    double y2 = y(event.to) + (down ? 0 : lane_height);
    double span = event.end_s - event.start_s;
    auto at = [&](double seconds) {
      double part = span > 0 ? (seconds - event.start_s) / span : 1;
      return SvgPoint{x(seconds), y1 + (y2 - y1) * part};
    };
    bool ends_inside = event.end_s <= end();
    SvgPoint from =
        span > 0 ? at(std::max(event.start_s, window_.from)) : SvgPoint{x(event.start_s), y1};
    SvgPoint to = at(std::min(event.end_s, end()));
    if (event.kind == Kind::transfer)
      svg_.line(from, to, transfer_line);
    else
      svg_.line(from, to, fmt::format("{}{}", prune_line, ends_inside ? marker : ""));
  }

  void draw_lanes() {
    for (const std::string& device : lanes_) {
      svg_.rectangle({left, y(device)}, plot_width, lane_height, R"(fill="#f7f8fa")");
      svg_.text({left - 8, y(device) + lane_height / 2 + 4}, device, R"(text-anchor="end")");
    }
  }

  void draw_axis() {
    double line = bottom() - 12;
    svg_.line({left, line}, {left + plot_width, line}, R"(stroke="#333333")");
    double step = nice_step(window_.length, 12);
    int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
    for (double tick = std::ceil(window_.from / step - 1e-9); tick * step <= end() + step * 1e-6;
         ++tick) {
      svg_.line({x(tick * step), line}, {x(tick * step), line + 5}, R"(stroke="#333333")");
      svg_.text({x(tick * step), line + 18}, fmt::format("{:.{}f}", tick * step, digits),
                R"(text-anchor="middle")");
    }
    svg_.text({left + plot_width, line + 33}, "seconds", R"(text-anchor="end")");
  }

  void draw_legend() {
    double at = left;
    auto box = [&](const std::string& fill, const std::string& label) {
      svg_.rectangle({at, 36}, 14, 14,
                     fmt::format(R"(fill="{}" stroke="#52606d" stroke-width="0.5")", fill));
      svg_.text({at + 19, 47}, label);
      at += 32 + character * static_cast<double>(label.size());
    };
    auto arrow = [&](std::string_view style, const std::string& label) {
      svg_.line({at, 36}, {at + 14, 50}, style);
      svg_.text({at + 19, 47}, label);
      at += 32 + character * static_cast<double>(label.size());
    };
    box(draft_fill, "draft");
    box(verify_fill, "verify");
    arrow(fmt::format("{}{}", prune_line, marker), "prune");
    arrow(transfer_line, "transfer");
    svg_.text({at + 10, 47}, "segment (rows kept/rows), kept:");
    at += 200;
    for (int percent : {0, 1, 5, 20, 50, 100})
      box(fill_of(percent / 100.0).color, fmt::format("{} %", percent));
  }

  TimelineWindow window_;
  std::vector<std::string> lanes_;
  SvgWriter svg_;
};

}  // namespace

std::string timeline_svg(const BenchCase& what, const std::vector<TraceEvent>& trace,
                         const TimelineWindow& window) {
  return Timeline(trace, window).draw(what, trace);
}

}  // namespace flowspec
