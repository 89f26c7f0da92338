#include "runtime/console/progress_bar.hpp"

#include <algorithm>
#include <cmath>
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

/// The terminal of a job in the background belongs to another job.
bool is_in_foreground() {
  auto group = ::tcgetpgrp(STDERR_FILENO);
  return group == -1 || group == ::getpgrp();
}

int terminal_columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string progress_line(std::string_view title, double share, int columns,
                          std::string_view detail) {
  constexpr int widest = 30;
  constexpr int narrowest = 3;
  share = std::clamp(share, 0.0, 1.0);
  auto end = fmt::format("{:3.0f} %{}{}", share * 100, detail.empty() ? "" : "  ", detail);
  auto room = columns - 1 - static_cast<int>(title.size() + 1 + end.size());
  auto width = std::min(room - 3, widest);  // brackets and a space
  if (width < narrowest && !detail.empty())
    return progress_line(title, share, columns);
  if (room < 0)
    return {};
  if (width < narrowest)
    return fmt::format("{} {}", title, end);
  auto filled = static_cast<int>(share * width);
  return fmt::format("{} [{:#<{}}{:.<{}}] {}", title, "", filled, "", width - filled, end);
}

std::string progress_rate(std::uint64_t done_meanwhile, double seconds, std::uint64_t left) {
  constexpr double mib = 1U << 20U;
  constexpr double gib = 1U << 30U;
  constexpr double shortest = 0.5;
  if (seconds < shortest || done_meanwhile == 0)
    return {};
  auto rate = static_cast<double>(done_meanwhile) / seconds;
  auto rest = std::ceil(static_cast<double>(left) / rate);
  auto speed = rate < gib ? fmt::format("{:.0f} MiB/s", rate / mib)
                          : fmt::format("{:.1f} GiB/s", rate / gib);
  constexpr double minute = 60;
  auto time = rest < 2 * minute     ? fmt::format("{:.0f} s", rest)
              : rest < 120 * minute ? fmt::format("{:.0f} min", std::ceil(rest / minute))
                                    : fmt::format("{:.0f} h", std::ceil(rest / minute / minute));
  return fmt::format("{}, {} left", speed, time);
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

/// Empty for small files, where loading ends before anybody could read it.
std::string ProgressBar::rate(const Part& sum) {
  constexpr std::uint64_t small = std::uint64_t{64} << 20;
  auto now = std::chrono::steady_clock::now();
  if (!start_)
    start_.emplace(now, sum.done);
  if (sum.total < small || sum.done >= sum.total || sum.done < start_->second)
    return {};
  return progress_rate(sum.done - start_->second,
                       std::chrono::duration<double>(now - start_->first).count(),
                       sum.total - sum.done);
}

void ProgressBar::draw() {
  Part sum;
  bool has_parts = false;
  {
    std::lock_guard lock(parts_->mutex);
    has_parts = !parts_->list.empty();
    for (const Part& part : parts_->list) {
      sum.done += part.done;
      sum.total += part.total;
    }
  }
  double share =
      sum.total == 0 ? 0 : static_cast<double>(sum.done) / static_cast<double>(sum.total);
  auto columns = terminal_columns();
  if (!is_in_foreground())
    return;
  if (has_parts)
    show_status(progress_line(title_, share, columns, rate(sum)));
  else if (static_cast<int>(title_.size()) < columns)
    show_status(title_);
}

}  // namespace flowspec
