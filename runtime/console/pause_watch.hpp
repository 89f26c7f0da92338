#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace flowspec {

/// Notices when this process itself does not run: it was stopped (Ctrl-Z), or the machine slept.
/// The process and its peers then take each other for lost, and the user should be told why.
class PauseWatch {
 public:
  /// Pauses of at least this length are noticed.
  explicit PauseWatch(std::chrono::milliseconds shortest = std::chrono::seconds(2));
  ~PauseWatch();
  PauseWatch(const PauseWatch&) = delete;
  PauseWatch& operator=(const PauseWatch&) = delete;

  /// The longest pause so far, including one that has just ended; 0: none.
  std::chrono::milliseconds longest();
  /// `error`, with a note that this machine itself was silent, if it was.
  std::string explain(std::string error);

 private:
  void watch();
  /// The caller has to hold the lock.
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
