#include "runtime/signals.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>

#include <pthread.h>

namespace flowspec {

namespace {

/// Wakes the thread at the end.
constexpr int wake_up = SIGUSR1;

}  // namespace

Signals::Signals(Handler handler) : handler_(std::move(handler)) {
  // A client or a node that goes away is told by write(), not by a signal.
  ::signal(SIGPIPE, SIG_IGN);
  ::sigemptyset(&signals_);
  for (int signal : {SIGINT, SIGTERM, wake_up})
    ::sigaddset(&signals_, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  thread_ = std::thread([this] { wait_for_signals(); });
}

Signals::~Signals() {
  ::pthread_kill(thread_.native_handle(), wake_up);
  thread_.join();
}

void Signals::set_handler(Handler handler) {
  std::lock_guard lock(mutex_);
  handler_ = std::move(handler);
}

void Signals::wait_for_signals() {
  int signal = 0;
  while (::sigwait(&signals_, &signal) != 0 || signal != wake_up) {
    std::lock_guard lock(mutex_);
    if (handler_)
      handler_(signal);
  }
}

struct ExitLimit::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
};

ExitLimit::ExitLimit(int seconds, int exit_code) : shared_(std::make_shared<Shared>()) {
  thread_ = std::thread([shared = shared_, seconds, exit_code] {
    std::unique_lock lock(shared->mutex);
    if (shared->changed.wait_for(lock, std::chrono::seconds(seconds), [&] { return shared->done; }))
      return;
    std::fflush(nullptr);
    std::_Exit(exit_code);
  });
}

ExitLimit::~ExitLimit() {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->done = true;
  }
  shared_->changed.notify_all();
  thread_.join();
}

}  // namespace flowspec
