#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace flowspec::test {

/// A program's arguments in the form that exec needs. They are prepared before the fork, because a
/// child may do little between fork and exec.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Replaces the process by the program. Returns only if that fails, with the exit code to use.
  int execute() const;

 private:
  std::vector<std::string> arguments_;
  std::vector<char*> pointers_;
};

/// A process that the test has started, with any kind of streams. The destructor kills it.
class Child {
 public:
  Child() = default;
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Takes the result of fork in the parent; throws if that is an error.
  void started(pid_t pid);
  /// Waits for its end. Returns the exit code or 128 + signal; nothing after the time limit.
  std::optional<int> wait(std::chrono::milliseconds limit);
  pid_t id() const { return pid_; }
  void signal(int number) const;
  /// Kills it if it is running.
  void end();

 private:
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

}  // namespace flowspec::test
