#include "runtime/console/progress_bar.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "runtime/console/output.hpp"

namespace flowspec {

namespace {

bool can_erase_lines() {
  const char* kind = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && kind != nullptr && *kind != '\0' &&
         std::string_view(kind) != "dumb";
}

/// Of a job in the background the terminal belongs to somebody else.
bool is_in_foreground() {
  auto group = ::tcgetpgrp(STDERR_FILENO);
  return group == -1 || group == ::getpgrp();
}

int terminal_columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string progress_line(std::string_view title, double share, int columns) {
  constexpr int widest = 30;
  constexpr int narrowest = 3;
  share = std::clamp(share, 0.0, 1.0);
  auto percent = fmt::format("{:3.0f} %", share * 100);
  auto room = columns - 1 - static_cast<int>(title.size() + 1 + percent.size());
  if (room < 0)
    return {};
  auto width = std::min(room - 3, widest);  // brackets and a space
  if (width < narrowest)
    return fmt::format("{} {}", title, percent);
  auto filled = static_cast<int>(share * width);
  return fmt::format("{} [{:#<{}}{:.<{}}] {}", title, "", filled, "", width - filled, percent);
}

ProgressBar::ProgressBar(std::string title, bool wanted) : title_(std::move(title)) {
  if (wanted && can_erase_lines())
    drawer_ = std::thread([this] { draw_until_stopped(); });
}

ProgressBar::~ProgressBar() {
  end();
}

void ProgressBar::end() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_changed_.notify_all();
  if (!drawer_.joinable())
    return;
  drawer_.join();
  hide_status();
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
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  bool has_parts = false;
  {
    std::lock_guard lock(parts_->mutex);
    has_parts = !parts_->list.empty();
    for (const Part& part : parts_->list) {
      done += part.done;
      total += part.total;
    }
  }
  double share = total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total);
  auto columns = terminal_columns();
  if (!is_in_foreground())
    return;
  if (has_parts)
    show_status(progress_line(title_, share, columns));
  else if (static_cast<int>(title_.size()) < columns)
    show_status(title_);
}

}  // namespace flowspec
