#include "runtime/console/signals.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include <poll.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace flowspec {

namespace {

sigset_t signals_of_ours() {
  sigset_t set{};
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM})
    sigaddset(&set, signal);
  struct sigaction action {};
  if (::sigaction(SIGHUP, nullptr, &action) != 0 || action.sa_handler != SIG_IGN)
    sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {
    if (fd < 0)
      throw std::system_error(errno, std::generic_category(), "cannot wait for signals");
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

void hold_signals() {
  auto set = signals_of_ours();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Signals::Signals(Handler handler) : handler_(std::move(handler)) {
  hold_signals();
  auto set = signals_of_ours();
  signals_ = std::make_unique<Descriptor>(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  end_ = std::make_unique<Descriptor>(::eventfd(0, EFD_CLOEXEC));
  thread_ = std::thread([this] { wait_for_signals(); });
}

Signals::~Signals() {
  ::eventfd_write(end_->get(), 1);
  thread_.join();
}

SignalQueue::SignalQueue() {
  hold_signals();
  auto set = signals_of_ours();
  sigaddset(&set, SIGCHLD);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = std::make_unique<Descriptor>(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

SignalQueue::~SignalQueue() = default;

int SignalQueue::descriptor() const {
  return signals_->get();
}

std::optional<int> SignalQueue::next() {
  signalfd_siginfo info{};
  if (::read(signals_->get(), &info, sizeof info) != sizeof info)
    return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

void Signals::set_handler(Handler handler) {
  std::lock_guard lock(mutex_);
  handler_ = std::move(handler);
}

void Signals::wait_for_signals() {
  std::array<pollfd, 2> sources{{{signals_->get(), POLLIN, 0}, {end_->get(), POLLIN, 0}}};
  for (;;) {
    ::poll(sources.data(), sources.size(), -1);
    if (sources[1].revents != 0)
      return;
    signalfd_siginfo info{};
    if (::read(signals_->get(), &info, sizeof info) != sizeof info)
      continue;
    std::lock_guard lock(mutex_);
    if (handler_)
      handler_(static_cast<int>(info.ssi_signo));
  }
}

struct ExitLimit::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
};

ExitLimit::ExitLimit(int seconds, int exit_code) : shared_(std::make_shared<Shared>()) {
  auto watch = [shared = shared_, seconds, exit_code] {
    std::unique_lock lock(shared->mutex);
    if (shared->changed.wait_for(lock, std::chrono::seconds(seconds), [&] { return shared->done; }))
      return;
    spdlog::info("parts of the program do not end; it leaves without them");
    std::fflush(nullptr);
    std::_Exit(exit_code);
  };
  try {
    thread_ = std::thread(watch);
  } catch (const std::system_error&) {
    // If no thread can be started, the shutdown has no time limit; the result of the program still
    // counts.
  }
}

ExitLimit::~ExitLimit() {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->done = true;
  }
  shared_->changed.notify_all();
  if (thread_.joinable())
    thread_.join();
}

}  // namespace flowspec
