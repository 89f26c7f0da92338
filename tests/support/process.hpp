#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/child.hpp"

namespace flowspec::test {

/// A program that runs next to the test. The destructor kills it.
class Process {
 public:
  /// `input` becomes its standard input.
  explicit Process(const std::vector<std::string>& arguments, const std::string& input = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Waits for its end. Returns the exit code or 128 + signal; nothing after the time limit.
  std::optional<int> wait(std::chrono::milliseconds limit);
  bool runs() { return !wait(std::chrono::milliseconds(0)); }
  int id() const { return child_.id(); }
  void signal(int number) const { child_.signal(number); }

  /// Waits until standard output, or standard error, has `text` in it.
  bool wait_for_output(const std::string& text, std::chrono::milliseconds limit);
  bool wait_for_error(const std::string& text, std::chrono::milliseconds limit);
  /// Its output so far; complete after `wait`.
  std::string output();
  std::string error();

  using Clock = std::chrono::steady_clock;
  /// When the first byte of its output came that is behind the first `size` ones; nothing if there is
  /// none yet.
  std::optional<Clock::time_point> output_after(std::size_t size);
  /// When standard error had `text` in it, and how much output there was then.
  struct Moment {
    Clock::time_point when;
    std::size_t output;
  };
  std::optional<Moment> error_has(const std::string& text);

 private:
  struct Growth {
    Clock::time_point when;
    std::size_t size;
    /// Of the other stream.
    std::size_t other;
  };
  struct Stream {
    int fd = -1;
    std::string text;
    std::vector<Growth> growth;
    std::thread reader;
  };
  void read(Stream& stream);
  bool wait_for(const Stream& stream, const std::string& text, std::chrono::milliseconds limit);

  Child child_;
  std::mutex mutex_;
  std::condition_variable grown_;
  Stream output_;
  Stream error_;
};

}  // namespace flowspec::test
