#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace flowspec {

/// One end of a pipe, read line by line without waiting.
class LinePipe {
 public:
  explicit LinePipe(int descriptor) : descriptor_(descriptor) {}
  ~LinePipe();
  LinePipe(const LinePipe&) = delete;
  LinePipe& operator=(const LinePipe&) = delete;

  /// For poll; -1 (which poll leaves out) when the other end is closed.
  int descriptor() const { return descriptor_; }
  /// Calls `line` with each line that is there, without its end. Very long lines come in pieces.
  void read(const std::function<void(std::string_view)>& line);

 private:
  void close();

  int descriptor_;
  std::string begun_;
};

/// A program that runs as a child of this process, and is killed when this process ends, however
/// that happens. To be started on the main thread, before there are others: the kernel kills the
/// child when the thread ends that has started it.
class ChildProgram {
 public:
  /// @param arguments  the path of the program first. Its standard input is empty.
  /// Throws RuntimeError if there is no such program, or the system has no room for it.
  explicit ChildProgram(std::vector<std::string> arguments);
  /// Kills it.
  ~ChildProgram();
  ChildProgram(const ChildProgram&) = delete;
  ChildProgram& operator=(const ChildProgram&) = delete;

  pid_t id() const { return id_; }
  /// Does nothing once it has ended.
  void signal(int number) const;
  /// How it has ended: the exit code, or 128 + the number of the signal; nothing while it runs.
  std::optional<int> ended();
  /// The same in words: "with exit code 1", "by signal 9 (Killed)".
  std::string how_it_ended() const;

  LinePipe& output() { return *output_; }
  LinePipe& error() { return *error_; }

 private:
  pid_t id_ = -1;
  /// What waitpid says.
  std::optional<int> status_;
  std::unique_ptr<LinePipe> output_;
  std::unique_ptr<LinePipe> error_;
};

}  // namespace flowspec
