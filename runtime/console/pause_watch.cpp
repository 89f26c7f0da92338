#include "runtime/console/pause_watch.hpp"

#include <algorithm>
#include <ctime>

#include <fmt/format.h>

namespace flowspec {

namespace {

constexpr std::chrono::milliseconds period{250};

/// A clock that runs on while the machine sleeps, unlike steady_clock, and that nobody sets, unlike
/// system_clock.
std::chrono::milliseconds now() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::milliseconds(time.tv_nsec / 1000000);
}

}  // namespace

PauseWatch::PauseWatch(std::chrono::milliseconds shortest)
    : shortest_(shortest), last_(now()), thread_([this] { watch(); }) {}

PauseWatch::~PauseWatch() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_changed_.notify_all();
  thread_.join();
}

void PauseWatch::watch() {
  std::unique_lock lock(mutex_);
  while (!stop_changed_.wait_for(lock, period, [this] { return stop_; }))
    look();
}

void PauseWatch::look() {
  auto time = now();
  auto pause = time - last_ - period;
  if (pause >= shortest_)
    longest_ = std::max(longest_, pause);
  last_ = time;
}

std::chrono::milliseconds PauseWatch::longest() {
  std::lock_guard lock(mutex_);
  look();
  return longest_;
}

std::string PauseWatch::explain(std::string error) {
  auto pause = longest();
  if (pause.count() == 0)
    return error;
  return fmt::format(
      "{}. This machine itself was silent for {} s (stopped, or asleep), which is why.", error,
      std::chrono::duration_cast<std::chrono::seconds>(pause).count());
}

}  // namespace flowspec
