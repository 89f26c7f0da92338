#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace flowspec {

/// Threads for what takes longer than the threads of the server may be kept: JSON, templates,
/// tokenizers. Thread-safe.
class WorkQueue {
 public:
  WorkQueue(unsigned threads, std::size_t most_waiting);
  /// As `stop`.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  /// False: too much waits already, or it was stopped. `task` must not throw.
  bool post(std::function<void()> task);
  /// Waits for what is being done; forgets the rest.
  void stop();

 private:
  void work();

  const std::size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool is_stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace flowspec
