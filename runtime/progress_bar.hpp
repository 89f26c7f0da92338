#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace flowspec {

/// A bar on stderr while weights are loaded: only on a terminal, and only when it takes longer than
/// a moment. Gone with the object.
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

  const std::string title_;
  const std::shared_ptr<Parts> parts_ = std::make_shared<Parts>();
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stop_ = false;
  bool drawn_ = false;
  std::thread drawer_;
};

}  // namespace flowspec
