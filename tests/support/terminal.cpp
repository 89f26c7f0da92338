#include "tests/support/terminal.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace flowspec::test {

Terminal::Terminal(const std::vector<std::string>& arguments, const TerminalKind& kind)
    : screen_(kind.columns) {
  const Program program(arguments);
  start([&] { return program.execute(); }, kind);
}

Terminal::Terminal(const std::function<int()>& body, const TerminalKind& kind)
    : screen_(kind.columns) {
  start(body, kind);
}

void Terminal::start(const std::function<int()>& body, const TerminalKind& kind) {
  winsize size{kind.rows, kind.columns, 0, 0};
  std::fflush(nullptr);  // or the child would write the buffer again
  const pid_t pid = ::forkpty(&fd_, nullptr, nullptr, &size);
  if (pid == 0) {
    ::setenv("TERM", kind.name.c_str(), 1);
    ::_exit(body());
  }
  child_.started(pid);
  reader_ = std::thread([this] { read(); });
}

Terminal::~Terminal() {
  child_.end();
  if (reader_.joinable())
    reader_.join();
  if (fd_ >= 0)
    ::close(fd_);
}

void Terminal::type(const std::string& text) const {
  [[maybe_unused]] auto written = ::write(fd_, text.data(), text.size());
}

void Terminal::resize(unsigned short columns) {
  winsize size{24, columns, 0, 0};
  // The kernel sends SIGWINCH.
  ::ioctl(fd_, TIOCSWINSZ, &size);
  std::lock_guard lock(mutex_);
  screen_.resize(columns);
}

void Terminal::close() {
  {
    std::lock_guard lock(mutex_);
    has_ended_ = true;
  }
  reader_.join();
  ::close(fd_);
  fd_ = -1;
}

std::optional<int> Terminal::wait(std::chrono::milliseconds limit) {
  auto exit_code = child_.wait(limit);
  if (!exit_code)
    return std::nullopt;
  // Once the other side is closed, reading ends when everything has been read.
  if (reader_.joinable())
    reader_.join();
  return exit_code;
}

void Terminal::read() {
  std::array<char, 4096> buffer{};
  for (;;) {
    pollfd source{fd_, POLLIN, 0};
    bool is_ready = ::poll(&source, 1, 20) != 0;
    {
      std::lock_guard lock(mutex_);
      if (has_ended_)
        return;
    }
    if (!is_ready)
      continue;
    auto size = ::read(fd_, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR)
      continue;
    if (size <= 0)
      return;
    std::lock_guard lock(mutex_);
    bytes_.append(buffer.data(), static_cast<std::size_t>(size));
    screen_.write({buffer.data(), static_cast<std::size_t>(size)});
    grown_.notify_all();
  }
}

bool Terminal::wait_until(const std::function<bool(const std::string& bytes)>& condition,
                          std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return grown_.wait_for(lock, limit, [&] { return condition(bytes_); });
}

bool Terminal::wait_for(const std::string& text, std::chrono::milliseconds limit) {
  return wait_until([&](const std::string& bytes) { return bytes.find(text) != std::string::npos; },
                    limit);
}

std::string Terminal::bytes() {
  std::lock_guard lock(mutex_);
  return bytes_;
}

std::string Terminal::screen() {
  std::lock_guard lock(mutex_);
  return screen_.text();
}

std::string Terminal::surprises() {
  std::lock_guard lock(mutex_);
  return screen_.surprises();
}

}  // namespace flowspec::test
