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

/// "loading [####......]  40 %", and the detail behind it. Where so many columns are too few, with
/// a narrower bar, without the detail, without the bar, and empty where not even that fits. The
/// last column stays free: some terminals go on to the next line when it is written.
std::string progress_line(std::string_view title, double share, int columns,
                          std::string_view detail = {});

/// "1.2 GiB/s, 12 s left", by the bytes that were done in the last `seconds`. Empty where that is
/// too little to tell.
std::string progress_rate(std::uint64_t done_meanwhile, double seconds, std::uint64_t left);

/// A bar on stderr while weights are loaded: only on a terminal that can erase a line, only in the
/// foreground, and only when it takes longer than a moment. Without a part the title alone, as
/// nobody knows how much is done. Gone with its end.
class ProgressBar {
 public:
  ProgressBar(std::string title, bool wanted);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  using Update = std::function<void(std::uint64_t done, std::uint64_t total)>;
  /// One more part of the work. The result may be called by any thread, also after the bar has
  /// gone.
  Update part();

  /// Takes the bar away for good: what it stands for is done.
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
  /// When the first part was seen, and how much was done by then. The drawer's own.
  std::optional<std::pair<std::chrono::steady_clock::time_point, std::uint64_t>> start_;
  std::thread drawer_;
};

}  // namespace flowspec
