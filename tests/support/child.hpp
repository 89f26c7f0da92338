#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace flowspec::test {

/// A program's arguments as the system wants them. They are made before there is a child, which may
/// do little between fork and exec.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Becomes the program. Returns only where that fails: the exit code for it.
  int execute() const;

 private:
  std::vector<std::string> arguments_;
  std::vector<char*> pointers_;
};

/// A process that the test has started, however its streams are. It is killed with the object.
class Child {
 public:
  Child() = default;
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Takes what fork gave the parent; throws where that is an error.
  void started(pid_t pid);
  /// Waits for its end: the exit code, 128 + signal, or nothing at the end of the time.
  std::optional<int> wait(std::chrono::milliseconds limit);
  void signal(int number) const;
  /// Kills it where it runs.
  void end();

 private:
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

}  // namespace flowspec::test
