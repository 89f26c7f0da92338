#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace flowspec {

/// "loading [####......]  40 %", followed by the detail. If `columns` are too few: with a narrower
/// bar, then without the detail, then without the bar; empty if not even that fits. The last column
/// stays free: some terminals wrap when it is written.
std::string progress_line(std::string_view title, double share, int columns,
                          std::string_view detail = {});

/// "1.2 GiB/s, 12 s left", from the bytes that were done in the last `seconds`. Empty if these are
/// too few to tell.
std::string progress_rate(std::uint64_t done_meanwhile, double seconds, std::uint64_t left);

/// A bar on stderr while weights are loaded: only on a terminal that can erase a line, only in the
/// foreground, and only when loading takes longer than a moment. Without parts it shows only the
/// title, as the total is unknown. It is erased when the object ends.
class ProgressBar {
 public:
  ProgressBar(std::string title, bool wanted);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  using Update = std::function<void(std::uint64_t done, std::uint64_t total)>;
  /// Adds a part of the work. Any thread may call the result, even after the bar has ended.
  Update part();

  /// Erases the bar for good: the work is done.
  void end();

 private:
  struct Part {
    std::uint64_t done = 0;
    std::uint64_t total = 0;
  };
  struct Parts {
    std::mutex mutex;
    std::vector<Part> list;
  };
  void draw_until_stopped();
  void draw();
  std::string rate(const Part& sum);

  const std::string title_;
  const std::shared_ptr<Parts> parts_ = std::make_shared<Parts>();
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stop_ = false;
  /// When the first part was seen, and how much was done by then. Used only by the drawing thread.
  std::optional<std::pair<std::chrono::steady_clock::time_point, std::uint64_t>> start_;
  std::thread drawer_;
};

}  // namespace flowspec
