#include "runtime/console/child_program.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/console/error.hpp"

namespace flowspec {

namespace {

constexpr std::size_t longest_line = std::size_t{64} << 10;

[[noreturn]] void fail(const std::string& program, int error) {
  throw RuntimeError(
      error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE
          ? ErrorCode::does_not_fit
          : ErrorCode::bad_request,
      fmt::format("cannot start {}: {}", program, std::generic_category().message(error)));
}

/// A pipe from the child; this end does not block.
struct Pipe {
  explicit Pipe(const std::string& program) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      fail(program, errno);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    ours = std::make_unique<LinePipe>(ends[0]);
    theirs = ends[1];
  }
  ~Pipe() { ::close(theirs); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  std::unique_ptr<LinePipe> ours;
  int theirs = -1;
};

/// The child, between fork and exec.
[[noreturn]] void become(char* const* arguments, pid_t parent, const Pipe& output,
                         const Pipe& error) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have ended before that.
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (::getppid() == parent && ::dup2(nothing, STDIN_FILENO) >= 0 &&
      ::dup2(output.theirs, STDOUT_FILENO) >= 0 && ::dup2(error.theirs, STDERR_FILENO) >= 0) {
    // What the terminal sends stays held back until the program is ready for it.
    sigset_t set{};
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
    ::execv(arguments[0], arguments);
  }
  ::_exit(127);
}

}  // namespace

LinePipe::~LinePipe() {
  close();
}

void LinePipe::close() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
  descriptor_ = -1;
}

void LinePipe::read(const std::function<void(std::string_view)>& line) {
  std::array<char, 4096> buffer{};
  while (descriptor_ >= 0) {
    const auto size = ::read(descriptor_, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0 && errno == EAGAIN)
      break;
    if (size <= 0)
      close();
    else
      begun_.append(buffer.data(), static_cast<std::size_t>(size));
    std::size_t begin = 0;
    for (auto end = begun_.find('\n'); end != begun_.npos; end = begun_.find('\n', begin)) {
      line(std::string_view(begun_).substr(begin, end - begin));
      begin = end + 1;
    }
    begun_.erase(0, begin);
    if (begun_.size() > longest_line || (descriptor_ < 0 && !begun_.empty()))
      line(std::exchange(begun_, {}));
  }
}

ChildProgram::ChildProgram(std::vector<std::string> arguments) {
  const std::string program = arguments.front();
  if (::access(program.c_str(), X_OK) != 0)
    fail(program, errno);
  // Prepared before the fork, because a child may do little between fork and exec.
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& argument : arguments)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  Pipe output(program);
  Pipe error(program);
  const pid_t parent = ::getpid();
  id_ = ::fork();
  if (id_ == 0)
    become(pointers.data(), parent, output, error);
  if (id_ < 0)
    fail(program, errno);
  output_ = std::move(output.ours);
  error_ = std::move(error.ours);
}

ChildProgram::~ChildProgram() {
  signal(SIGKILL);
  int ignored = 0;
  while (!status_ && ::waitpid(id_, &ignored, 0) < 0 && errno == EINTR)
    ;
}

void ChildProgram::signal(int number) const {
  // The number of an ended process may belong to another by now.
  if (!status_)
    ::kill(id_, number);
}

std::optional<int> ChildProgram::ended() {
  int status = 0;
  if (!status_ && ::waitpid(id_, &status, WNOHANG) == id_)
    status_ = status;
  if (!status_)
    return std::nullopt;
  return WIFSIGNALED(*status_) ? 128 + WTERMSIG(*status_) : WEXITSTATUS(*status_);
}

std::string ChildProgram::how_it_ended() const {
  if (!status_)
    return "not yet";
  if (WIFSIGNALED(*status_))
    return fmt::format("by signal {} ({})", WTERMSIG(*status_), ::strsignal(WTERMSIG(*status_)));
  return fmt::format("with exit code {}", WEXITSTATUS(*status_));
}

}  // namespace flowspec
