#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace flowspec {

/// Closes itself.
class Descriptor;

/// Blocks SIGINT, SIGTERM and SIGHUP until there is a `Signals`. To be called at the beginning of
/// main, so that a program that is stopped in its first moments has the same exit code as later. A
/// SIGHUP that the parent process set to be ignored (nohup) stays ignored.
void hold_signals();

/// Handles these signals on a thread of its own. Has to be made before any other thread, which
/// would otherwise receive them. Other signals keep their default action.
class Signals {
 public:
  /// `handler` gets the number of the signal.
  using Handler = std::function<void(int)>;

  /// Throws std::system_error where the system has no more descriptors or threads.
  explicit Signals(Handler handler);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// Replaces the handler; when this returns, the old one is not running any more.
  void set_handler(Handler handler);

 private:
  void wait_for_signals();

  std::mutex mutex_;
  Handler handler_;
  /// The descriptors that signals are read from, and that wake the thread at the end.
  std::unique_ptr<Descriptor> signals_;
  std::unique_ptr<Descriptor> end_;
  std::thread thread_;
};

/// The same signals and SIGCHLD, for a program of one thread that waits for several things at once.
class SignalQueue {
 public:
  /// Throws std::system_error where the system has no more descriptors.
  SignalQueue();
  ~SignalQueue();
  SignalQueue(const SignalQueue&) = delete;
  SignalQueue& operator=(const SignalQueue&) = delete;

  /// Readable while a signal waits.
  int descriptor() const;
  /// The number of the next signal that waits; nothing if none does. A signal to the whole process
  /// group comes before the SIGCHLD of a child that has ended because of it.
  std::optional<int> next();

 private:
  std::unique_ptr<Descriptor> signals_;
};

/// Ends the process with `exit_code` if the object lives longer than `seconds`: for the shutdown,
/// which would otherwise wait for a computation, or for a connection that hangs.
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
