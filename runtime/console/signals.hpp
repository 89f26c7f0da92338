#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace flowspec {

/// From now on SIGINT, SIGTERM and SIGHUP wait until there is a `Signals`. The first thing that
/// main does, so that the exit code of a program that is stopped in its first moments is no other
/// than later. A SIGHUP that whoever started the program wants to be ignored (nohup) stays so.
void hold_signals();

/// Takes these signals on a thread of its own. To be made before any other thread, which would
/// otherwise take them. All others do what they do in any program.
class Signals {
 public:
  /// `handler` gets the number of the signal.
  using Handler = std::function<void(int)>;

  /// Throws std::system_error where the system has no more descriptors or threads.
  explicit Signals(Handler handler);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// From now on another handler; the one before is not running any more afterwards.
  void set_handler(Handler handler);

 private:
  class Descriptor;

  void wait_for_signals();

  std::mutex mutex_;
  Handler handler_;
  /// Where signals are read, and what wakes the thread at the end.
  std::unique_ptr<Descriptor> signals_;
  std::unique_ptr<Descriptor> end_;
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
