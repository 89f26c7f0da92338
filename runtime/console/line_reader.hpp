#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace flowspec {

/// Something that a thread waits for together with descriptors.
class Event {
 public:
  /// Throws std::system_error.
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  /// It has happened, and stays so. Any thread may call it.
  void set() const noexcept;
  bool is_set() const noexcept;
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// Reads lines from a descriptor until something else happens.
class LineReader {
 public:
  /// `interrupt` must outlive the object.
  LineReader(int fd, const Event& interrupt) : fd_(fd), interrupt_(interrupt) {}

  /// The next line without its end ("\n" or "\r\n"); nothing at the end of the input, and as soon
  /// as the event has happened, which is looked at first. Throws RuntimeError for a line that is
  /// longer than `longest_line`.
  std::optional<std::string> next();

  static constexpr std::size_t longest_line = std::size_t{16} << 20;

 private:
  /// False at the end, and when the event has happened.
  bool read_more();
  std::string take(std::size_t size, std::size_t and_drop);

  int fd_;
  const Event& interrupt_;
  std::string buffer_;
  std::size_t searched_ = 0;
};

}  // namespace flowspec
