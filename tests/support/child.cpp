#include "tests/support/child.hpp"

#include <csignal>
#include <stdexcept>
#include <thread>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

namespace flowspec::test {

Program::Program(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {
  pointers_.reserve(arguments_.size() + 1);
  for (std::string& argument : arguments_)
    pointers_.push_back(argument.data());
  pointers_.push_back(nullptr);
}

int Program::execute() const {
  ::execvp(pointers_.front(), pointers_.data());
  return 127;
}

void Child::started(pid_t pid) {
  if (pid < 0)
    throw std::runtime_error("cannot fork");
  pid_ = pid;
}

std::optional<int> Child::wait(std::chrono::milliseconds limit) {
  auto end = std::chrono::steady_clock::now() + limit;
  while (!exit_code_) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_)
      exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    else if (std::chrono::steady_clock::now() >= end)
      return std::nullopt;
    else
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return exit_code_;
}

void Child::signal(int number) const {
  // The pid of an ended process may belong to another by now.
  if (pid_ > 0 && !exit_code_)
    ::kill(pid_, number);
}

void Child::end() {
  if (pid_ < 0 || exit_code_)
    return;
  signal(SIGKILL);
  wait(std::chrono::seconds(10));
}

}  // namespace flowspec::test
