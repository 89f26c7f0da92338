#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace flowspec {

/// An event that a thread can wait for together with file descriptors.
class Event {
 public:
  /// Throws std::system_error.
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  /// Sets the event, for good. Any thread may call it.
  void set() const noexcept;
  bool is_set() const noexcept;
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// Reads lines from a descriptor until the event is set.
class LineReader {
 public:
  /// `interrupt` must outlive the object.
  LineReader(int fd, const Event& interrupt) : fd_(fd), interrupt_(interrupt) {}

  /// The next line without its end ("\n" or "\r\n"); nothing at the end of the input, or once the
  /// event is set, which is checked first. Throws RuntimeError for a line longer than
  /// `longest_line`.
  std::optional<std::string> next();

  static constexpr std::size_t longest_line = std::size_t{16} << 20;

 private:
  /// False at the end of the input, or once the event is set.
  bool read_more();
  std::string take(std::size_t size, std::size_t and_drop);

  int fd_;
  const Event& interrupt_;
  std::string buffer_;
  std::size_t searched_ = 0;
};

}  // namespace flowspec
