#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/child.hpp"
#include "tests/support/screen.hpp"

namespace flowspec::test {

struct TerminalKind {
  unsigned short columns = 80;
  unsigned short rows = 24;
  std::string name = "xterm";
};

/// A program whose standard streams are a pseudo-terminal of its own. The destructor kills it.
class Terminal {
 public:
  explicit Terminal(const std::vector<std::string>& arguments, const TerminalKind& kind = {});
  /// Runs a function instead of a program; the exit code is what it returns.
  explicit Terminal(const std::function<int()>& body, const TerminalKind& kind = {});
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// As if somebody typed it; "\x03" is Ctrl-C.
  void type(const std::string& text) const;
  void resize(unsigned short columns);
  void signal(int number) const { child_.signal(number); }
  /// Closes the terminal, as when its window is closed.
  void close();

  /// Waits for the program's end and all of its output. Returns the exit code or 128 + signal.
  std::optional<int> wait(std::chrono::milliseconds limit);
  /// Waits until the output so far meets a condition.
  bool wait_for(const std::string& text, std::chrono::milliseconds limit);
  bool wait_until(const std::function<bool(const std::string& bytes)>& condition,
                  std::chrono::milliseconds limit);

  /// All bytes that the program has written.
  std::string bytes();
  /// What the terminal shows.
  std::string screen();
  std::string surprises();

 private:
  void start(const std::function<int()>& body, const TerminalKind& kind);
  void read();

  int fd_ = -1;
  Child child_;
  std::mutex mutex_;
  std::condition_variable grown_;
  std::string bytes_;
  Screen screen_;
  bool has_ended_ = false;
  std::thread reader_;
};

}  // namespace flowspec::test
