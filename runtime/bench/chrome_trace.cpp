#include "runtime/bench/chrome_trace.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/bench/cells.hpp"
#include "runtime/bench/summary.hpp"

namespace flowspec {

namespace {

using Json = nlohmann::ordered_json;

constexpr int process = 1;

bool is_job(const TraceEvent& event) {
  return event.kind != TraceEvent::Kind::transfer && event.kind != TraceEvent::Kind::prune;
}

class TraceWriter {
 public:
  TraceWriter(const BenchCase& what, const std::vector<TraceEvent>& trace) {
    name("process_name", 0, "name", "flowspec bench: " + title_of(what));
    for (const std::string& device : devices_of(trace)) {
      int thread = static_cast<int>(threads_.size()) + 1;
      threads_[device] = thread;
      name("thread_name", thread, "name", device);
      name("thread_sort_index", thread, "sort_index", thread);
    }
    for (const TraceEvent& event : trace)
      add(event);
  }

  std::string text() const {
    return Json{{"displayTimeUnit", "ms"}, {"traceEvents", events_}}.dump(
               -1, ' ', false, Json::error_handler_t::replace) +
           "\n";
  }

 private:
  void name(const char* what, int thread, const char* key, const Json& value) {
    events_.push_back(
        {{"ph", "M"}, {"name", what}, {"pid", process}, {"tid", thread}, {"args", {{key, value}}}});
  }

  void add(const TraceEvent& event) {
    if (event.kind == TraceEvent::Kind::transfer)
      add_transfer(event);
    else if (event.kind == TraceEvent::Kind::prune)
      add_prune(event);
    else
      add_job(event);
  }

  Json at(const char* phase, std::string name, const std::string& device, double seconds) {
    return {{"ph", phase},
            {"name", std::move(name)},
            {"pid", process},
            {"tid", threads_.at(device)},
            {"ts", seconds * 1e6}};
  }

  void add_job(const TraceEvent& event) {
    auto name = event.kind == TraceEvent::Kind::draft    ? "draft"
                : event.kind == TraceEvent::Kind::verify ? "verify"
                                                         : fmt::format("segment {}", event.segment);
    auto json = at("X", name, event.device, event.start_s);
    json["dur"] = std::max(0.0, event.end_s - event.start_s) * 1e6;
    json["args"] = {{"segment", event.segment}, {"rows", event.rows}};
    if (event.kind == TraceEvent::Kind::segment)
      json["args"]["rows_kept"] = event.rows_kept;
    events_.push_back(std::move(json));
  }

  /// As an asynchronous event, because transfers of one link may overlap.
  void add_transfer(const TraceEvent& event) {
    auto name = fmt::format("{} → {}", event.device, event.to);
    ++transfers_;
    for (auto [phase, seconds] : {std::pair{"b", event.start_s}, std::pair{"e", event.end_s}}) {
      auto json = at(phase, name, event.device, seconds);
      json["cat"] = "transfer";
      json["id"] = transfers_;
      if (*phase == 'b')
        json["args"] = {{"segment", event.segment}, {"rows", event.rows}};
      events_.push_back(std::move(json));
    }
  }

  void add_prune(const TraceEvent& event) {
    // One prune goes to all devices, but leaves only once.
    if (prunes_.emplace(event.device, event.start_s).second) {
      events_.push_back(at("i", "prune", event.device, event.start_s));
      events_.back()["s"] = "t";
    }
    events_.push_back(at("i", "prune from " + event.device, event.to, event.end_s));
    events_.back()["s"] = "t";
  }

  std::map<std::string, int> threads_;
  std::set<std::pair<std::string, double>> prunes_;
  std::uint64_t transfers_ = 0;
  Json events_ = Json::array();
};

/// "stage 10" comes after "stage 9".
auto rank(const std::string& device) {
  return std::tuple(is_stage(device), is_stage(device) ? device.size() : 0, device);
}

}  // namespace

std::vector<std::string> devices_of(const std::vector<TraceEvent>& trace) {
  std::vector<std::string> devices;
  auto add = [&](const std::string& device) {
    if (!device.empty() && std::ranges::find(devices, device) == devices.end())
      devices.push_back(device);
  };
  for (const TraceEvent& event : trace) {
    add(event.device);
    if (!is_job(event))
      add(event.to);
  }
  std::ranges::sort(devices, {}, rank);
  return devices;
}

std::string chrome_trace(const BenchCase& what, const std::vector<TraceEvent>& trace) {
  return TraceWriter(what, trace).text();
}

}  // namespace flowspec
