#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace flowspec {

/// Notices when this process itself does not run: it was stopped (Ctrl-Z), or the machine slept.
/// Others then take it for lost, and it takes them for lost; who is told so should know why.
class PauseWatch {
 public:
  /// Pauses of at least this length are noticed.
  explicit PauseWatch(std::chrono::milliseconds shortest = std::chrono::seconds(2));
  ~PauseWatch();
  PauseWatch(const PauseWatch&) = delete;
  PauseWatch& operator=(const PauseWatch&) = delete;

  /// The longest pause so far, the one that has just ended included; 0: none.
  std::chrono::milliseconds longest();
  /// `error`, and that this machine itself was silent where it was.
  std::string explain(std::string error);

 private:
  void watch();
  /// To be called with the lock.
  void look();

  std::chrono::milliseconds shortest_;
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stop_ = false;
  std::chrono::milliseconds last_;
  std::chrono::milliseconds longest_{0};
  std::thread thread_;
};

}  // namespace flowspec
