#pragma once

#include <csignal>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace flowspec {

/// Takes SIGINT and SIGTERM on a thread of its own. To be made before any other thread, which would
/// otherwise take the signals.
class Signals {
 public:
  /// `handler` gets the number of the signal.
  using Handler = std::function<void(int)>;

  explicit Signals(Handler handler);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// From now on another handler; the one before is not running any more afterwards.
  void set_handler(Handler handler);

 private:
  void wait_for_signals();

  sigset_t signals_{};
  std::mutex mutex_;
  Handler handler_;
  std::thread thread_;
};

/// Ends the process with `exit_code` when the object lives longer than `seconds`: for the shutdown,
/// which would wait for a computation, or for a connection that hangs.
class ExitLimit {
 public:
  ExitLimit(int seconds, int exit_code);
  ~ExitLimit();
  ExitLimit(const ExitLimit&) = delete;
  ExitLimit& operator=(const ExitLimit&) = delete;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace flowspec
