#include "runtime/openai/stage_metrics.hpp"

#include <set>

namespace flowspec::openai {

void Follower::follow(double figure) {
  counter_->Increment(figure >= last_ ? figure - last_ : figure);
  last_ = figure;
}

StageMetrics::StageMetrics(prometheus::Registry& registry, const prometheus::Labels& labels) {
  auto counter = [&](const char* name, const char* help) {
    return &prometheus::BuildCounter().Name(name).Help(help).Labels(labels).Register(registry);
  };
  auto gauge = [&](const char* name, const char* help, double (*figure)(const StageFigures&)) {
    gauges_.push_back(
        {&prometheus::BuildGauge().Name(name).Help(help).Labels(labels).Register(registry),
         figure});
  };
  using Figures = const StageFigures&;
  auto* busy = counter("flowspec:stage_busy_seconds_total",
                       "Seconds spent on rows that were committed (kept), and on others (wasted).");
  counters_.push_back({busy, [](Figures f) { return f.busy_kept_s; }, {{"outcome", "kept"}}});
  counters_.push_back({busy, [](Figures f) { return f.busy_wasted_s; }, {{"outcome", "wasted"}}});
  counters_.push_back({counter("flowspec:stage_idle_seconds_total", "Seconds spent without work."),
                       [](Figures f) { return f.idle_s; },
                       {}});
  auto* rows = counter("flowspec:rows_total",
                       "Rows that came to a stage: computed and committed (kept), computed in vain "
                       "(wasted), dead before they were computed (dropped).");
  counters_.push_back(
      {rows, [](Figures f) { return static_cast<double>(f.rows_kept); }, {{"outcome", "kept"}}});
  counters_.push_back({rows,
                       [](Figures f) { return static_cast<double>(f.rows_wasted); },
                       {{"outcome", "wasted"}}});
  counters_.push_back({rows,
                       [](Figures f) { return static_cast<double>(f.rows_dropped); },
                       {{"outcome", "dropped"}}});
  counters_.push_back({counter("flowspec:stage_segments_total", "Segments that a stage computed."),
                       [](Figures f) { return static_cast<double>(f.segments); },
                       {}});
  auto* bytes = counter("flowspec:stage_bytes_total", "Bytes that a stage received and sent.");
  counters_.push_back(
      {bytes, [](Figures f) { return static_cast<double>(f.bytes_in); }, {{"direction", "in"}}});
  counters_.push_back(
      {bytes, [](Figures f) { return static_cast<double>(f.bytes_out); }, {{"direction", "out"}}});

  gauge(
      "flowspec:stage_queue", "What waits for a stage now.",
      [](Figures f) { return static_cast<double>(f.queue); });
  gauge(
      "flowspec:stage_sessions", "Sessions that a stage has.",
      [](Figures f) { return static_cast<double>(f.sessions); });
  gauge(
      "flowspec:stage_kv_slots_used", "KV slots of a stage that are taken.",
      [](Figures f) { return static_cast<double>(f.kv_slots_used); });
  gauge(
      "flowspec:stage_kv_slots", "KV slots that a stage has.",
      [](Figures f) { return static_cast<double>(f.kv_slots); });
  gauge("flowspec:stage_kv_bytes", "Memory of a stage for KV.",
        [](Figures f) { return static_cast<double>(f.kv_bytes); });
}

StageMetrics::Stage StageMetrics::make(const StageFigures& figures) {
  prometheus::Labels place{{"stage", figures.stage}, {"node", figures.node}};
  Stage stage;
  for (auto& counter : counters_) {
    auto labels = place;
    labels.insert(counter.labels.begin(), counter.labels.end());
    stage.counters.emplace_back(counter.family->Add(labels));
  }
  for (auto& gauge : gauges_)
    stage.gauges.push_back(&gauge.family->Add(place));
  return stage;
}

void StageMetrics::remove(const Stage& stage) {
  for (std::size_t i = 0; i < counters_.size(); ++i)
    counters_[i].family->Remove(stage.counters[i].counter());
  for (std::size_t i = 0; i < gauges_.size(); ++i)
    gauges_[i].family->Remove(stage.gauges[i]);
}

void StageMetrics::update(std::span<const StageFigures> stages) {
  std::set<std::pair<std::string, std::string>> there;
  for (const auto& figures : stages) {
    std::pair place{figures.stage, figures.node};
    auto found = stages_.find(place);
    if (found == stages_.end())
      found = stages_.emplace(place, make(figures)).first;
    there.insert(std::move(place));
    for (std::size_t i = 0; i < counters_.size(); ++i)
      found->second.counters[i].follow(counters_[i].figure(figures));
    for (std::size_t i = 0; i < gauges_.size(); ++i)
      found->second.gauges[i]->Set(gauges_[i].figure(figures));
  }
  std::erase_if(stages_, [&](const auto& entry) {
    if (there.contains(entry.first))
      return false;
    remove(entry.second);
    return true;
  });
}

}  // namespace flowspec::openai
