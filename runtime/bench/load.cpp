#include "runtime/bench/load.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace flowspec {

LoadSchedule::LoadSchedule(std::size_t requests, std::uint32_t at_once, double arrival,
                           std::uint64_t seed)
    : arrivals_(requests), at_once_(at_once) {
  if (arrival <= 0)
    return;
  std::mt19937_64 random(seed);
  double at = 0;
  for (double& each : arrivals_) {
    // Distributions of the standard library differ between libraries; this does not. Never 0.
    double uniform = (static_cast<double>(random() >> 11) + 1) * 0x1p-53;
    each = at;
    at -= std::log(uniform) / arrival;
  }
}

std::optional<std::size_t> LoadSchedule::begin(double now) {
  if (begun_ == arrivals_.size() || running_ >= at_once_ || arrivals_[begun_] > now)
    return std::nullopt;
  ++running_;
  return begun_++;
}

void LoadSchedule::ended() {
  --running_;
}

std::optional<double> LoadSchedule::next_arrival() const {
  if (begun_ == arrivals_.size() || running_ >= at_once_)
    return std::nullopt;
  return arrivals_[begun_];
}

std::vector<double> token_times(const RequestLog& log, const std::vector<std::size_t>& text_bytes) {
  std::vector<double> times(text_bytes.size());
  auto piece = log.pieces.begin();
  std::size_t come = 0;
  std::size_t needed = 0;
  std::size_t first_open = 0;
  for (std::size_t i = 0; i < text_bytes.size(); ++i) {
    if (text_bytes[i] == 0)
      continue;
    needed += text_bytes[i];
    for (; come < needed && piece != log.pieces.end(); ++piece)
      come += piece->bytes;
    if (come < needed)
      break;
    std::fill(times.begin() + static_cast<std::ptrdiff_t>(first_open),
              times.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::prev(piece)->at_s);
    first_open = i + 1;
  }
  double end =
      log.begun_s + static_cast<double>(log.report.prefill_us + log.report.decode_us) * 1e-6;
  std::fill(times.begin() + static_cast<std::ptrdiff_t>(first_open), times.end(), end);
  return times;
}

}  // namespace flowspec
