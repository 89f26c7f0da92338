#pragma once

#include <chrono>
#include <optional>

namespace flowspec {

/// So many of something in every period.
class Allowance {
 public:
  using Clock = std::chrono::steady_clock;

  Allowance(int most, Clock::duration period) : most_(most), period_(period) {}

  /// Whether there is one left, which is taken.
  bool take(Clock::time_point now = Clock::now()) {
    if (!begin_ || now - *begin_ >= period_) {
      begin_ = now;
      taken_ = 0;
    }
    if (taken_ == most_)
      return false;
    ++taken_;
    return true;
  }

 private:
  int most_;
  Clock::duration period_;
  std::optional<Clock::time_point> begin_;
  int taken_ = 0;
};

}  // namespace flowspec
