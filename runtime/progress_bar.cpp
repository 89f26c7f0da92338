#include "runtime/progress_bar.hpp"

#include <chrono>
#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

namespace flowspec {

ProgressBar::ProgressBar(std::string title, bool wanted) : title_(std::move(title)) {
  if (wanted && ::isatty(STDERR_FILENO) == 1)
    drawer_ = std::thread([this] { draw_until_stopped(); });
}

ProgressBar::~ProgressBar() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_changed_.notify_all();
  if (drawer_.joinable())
    drawer_.join();
  if (drawn_)
    fmt::print(stderr, "\r\033[K");
}

ProgressBar::Update ProgressBar::part() {
  std::lock_guard lock(parts_->mutex);
  auto index = parts_->list.size();
  parts_->list.emplace_back();
  return [parts = parts_, index](std::uint64_t done, std::uint64_t total) {
    std::lock_guard guard(parts->mutex);
    parts->list[index] = {done, total};
  };
}

void ProgressBar::draw_until_stopped() {
  std::unique_lock lock(mutex_);
  auto wait = std::chrono::milliseconds(300);
  while (!stop_changed_.wait_for(lock, wait, [this] { return stop_; })) {
    draw();
    wait = std::chrono::milliseconds(100);
  }
}

void ProgressBar::draw() {
  constexpr int width = 30;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  {
    std::lock_guard lock(parts_->mutex);
    for (const Part& part : parts_->list) {
      done += part.done;
      total += part.total;
    }
  }
  double share = total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total);
  auto filled = static_cast<int>(share * width);
  fmt::print(stderr, "\r{} [{:#<{}}{:.<{}}] {:3.0f} %", title_, "", filled, "", width - filled,
             share * 100);
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace flowspec
