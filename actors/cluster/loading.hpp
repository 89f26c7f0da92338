#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <caf/typed_response_promise.hpp>

#include "actors/interfaces.hpp"

namespace flowspec {

/// The answers of all hops to `load_a`, or the first error.
class Loading {
 public:
  using StatsList = std::vector<StageStatsMessage>;

  Loading(std::size_t hops, caf::typed_response_promise<StatsList> promise)
      : stats_(hops), open_(hops), promise_(std::move(promise)) {}

  /// Whether that was the last one.
  bool loaded(std::size_t hop, const StageStatsMessage& stats) {
    stats_[hop] = stats;
    if (--open_ > 0 || failed_)
      return false;
    promise_.deliver(stats_);
    return true;
  }

  void fail(const caf::error& error) {
    if (open_ > 0 && !failed_)
      promise_.deliver(error);
    failed_ = true;
  }

 private:
  StatsList stats_;
  std::size_t open_;
  bool failed_ = false;
  caf::typed_response_promise<StatsList> promise_;
};

}  // namespace flowspec
