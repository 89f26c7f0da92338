#pragma once
/// Internal to runtime/openai: figures that others count, as metrics.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "runtime/openai/metrics.hpp"

namespace flowspec::openai {

/// A counter that follows a figure which is counted elsewhere, and begins anew there at times.
class Follower {
 public:
  explicit Follower(prometheus::Counter& counter) : counter_(&counter) {}
  void follow(double figure);
  prometheus::Counter* counter() const { return counter_; }

 private:
  prometheus::Counter* counter_;
  double last_ = 0;
};

/// The metrics of stages, which come and go. Not thread-safe.
class StageMetrics {
 public:
  StageMetrics(prometheus::Registry& registry, const prometheus::Labels& labels);
  void update(std::span<const StageFigures> stages);

 private:
  /// A metric that is a figure of every stage.
  struct CounterOf {
    prometheus::Family<prometheus::Counter>* family;
    double (*figure)(const StageFigures&);
    prometheus::Labels labels;
  };
  struct GaugeOf {
    prometheus::Family<prometheus::Gauge>* family;
    double (*figure)(const StageFigures&);
  };
  /// The metrics of one stage, in the order of `counters_` and `gauges_`.
  struct Stage {
    std::vector<Follower> counters;
    std::vector<prometheus::Gauge*> gauges;
  };

  Stage make(const StageFigures& figures);
  void remove(const Stage& stage);

  std::vector<CounterOf> counters_;
  std::vector<GaugeOf> gauges_;
  /// By stage and node.
  std::map<std::pair<std::string, std::string>, Stage> stages_;
};

}  // namespace flowspec::openai
