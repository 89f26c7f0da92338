#include "runtime/templates/template_helper.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace flowspec {

namespace {

using Clock = std::chrono::steady_clock;

std::string text_of(int error) {
  return std::generic_category().message(error);
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0)
      ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

/// How the program begins: without anything of this process, in a group of its own, and with no
/// signal ignored or held back.
class SpawnSettings {
 public:
  SpawnSettings(int socket, int error) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_adddup2(&actions_, socket, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, socket, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, error, STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    ::posix_spawn_file_actions_addchdir_np(&actions_, "/");
    ::posix_spawnattr_init(&attributes_);
    sigset_t signals{};
    sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

[[noreturn]] void fail_start(int error) {
  throw HelperLost{HelperLost::Why::not_started, text_of(error)};
}

}  // namespace

TemplateHelper::TemplateHelper(std::vector<std::string> arguments) {
  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0)
    fail_start(errno);
  Descriptor ours(sockets[0]);
  Descriptor theirs(sockets[1]);
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0)
    fail_start(errno);
  Descriptor our_error(pipe[0]);
  Descriptor their_error(pipe[1]);
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& argument : arguments)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  std::array<char*, 1> environment{nullptr};
  SpawnSettings settings(theirs.get(), their_error.get());
  if (int error = ::posix_spawn(&id_, pointers[0], settings.actions(), settings.attributes(),
                                pointers.data(), environment.data()))
    fail_start(error);
  socket_ = ours.release();
  error_ = our_error.release();
}

TemplateHelper::~TemplateHelper() {
  kill();
  close();
}

void TemplateHelper::kill() {
  if (id_ < 0)
    return;
  ::kill(-id_, SIGKILL);
  ::kill(id_, SIGKILL);
  while (::waitpid(id_, nullptr, 0) < 0 && errno == EINTR)
    ;
  id_ = -1;
}

void TemplateHelper::close() {
  if (socket_ >= 0)
    ::close(socket_);
  if (error_ >= 0)
    ::close(error_);
}

void TemplateHelper::wait(Direction direction, Clock::time_point deadline) {
  for (;;) {
    auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd poll{socket_, static_cast<short>(direction == Direction::in ? POLLIN : POLLOUT), 0};
    int ready = ::poll(&poll, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready > 0)
      return;
    if (ready == 0)
      throw HelperLost{HelperLost::Why::too_slow, {}};
    if (errno != EINTR)
      throw HelperLost{HelperLost::Why::ended, text_of(errno)};
  }
}

void TemplateHelper::fail_ended() {
  // Its end of the socket is closed; it needs a moment for the rest.
  int status = 0;
  pid_t ended = 0;
  for (int i = 0; i < 1000 && (ended = ::waitpid(id_, &status, WNOHANG)) == 0; ++i)
    ::usleep(1000);
  HelperLost lost;
  if (ended == id_) {
    id_ = -1;
    lost.how = WIFSIGNALED(status) ? fmt::format("ended by signal {} ({})", WTERMSIG(status),
                                                 ::strsignal(WTERMSIG(status)))
                                   : fmt::format("ended with exit code {}", WEXITSTATUS(status));
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
      lost.why = HelperLost::Why::too_slow;
  } else {
    lost.how = "has closed its connection";
  }
  std::array<char, 4096> said{};
  auto size = ::read(error_, said.data(), said.size());
  std::string_view text(said.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  while (text.ends_with('\n'))
    text.remove_suffix(1);
  // Python says last what was wrong.
  if (!text.empty())
    lost.how += fmt::format(": {}", text.substr(text.rfind('\n') + 1));
  throw lost;
}

void TemplateHelper::send(std::string_view request, Clock::time_point deadline) {
  auto size = static_cast<std::uint32_t>(request.size());
  std::string data;
  for (int shift = 24; shift >= 0; shift -= 8)
    data += static_cast<char>(size >> shift);
  data += request;
  for (std::size_t sent = 0; sent < data.size();) {
    auto now = ::send(socket_, data.data() + sent, data.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (now >= 0)
      sent += static_cast<std::size_t>(now);
    else if (errno == EAGAIN)
      wait(Direction::out, deadline);
    else if (errno != EINTR)
      fail_ended();
  }
}

void TemplateHelper::receive(char* data, std::size_t size, Clock::time_point deadline) {
  while (size > 0) {
    auto now = ::recv(socket_, data, size, MSG_DONTWAIT);
    if (now > 0) {
      data += now;
      size -= static_cast<std::size_t>(now);
    } else if (now < 0 && errno == EAGAIN) {
      wait(Direction::in, deadline);
    } else if (now == 0 || errno != EINTR) {
      fail_ended();
    }
  }
}

std::string TemplateHelper::receive(Clock::time_point deadline, std::size_t most_bytes) {
  std::array<char, 4> head{};
  receive(head.data(), head.size(), deadline);
  std::size_t size = 0;
  for (char byte : head)
    size = size << 8 | static_cast<unsigned char>(byte);
  if (size > most_bytes)
    throw HelperLost{HelperLost::Why::too_much, fmt::format("{} bytes", size)};
  std::string answer(size, '\0');
  receive(answer.data(), size, deadline);
  return answer;
}

bool TemplateHelper::is_waiting() const {
  pollfd poll{socket_, POLLIN, 0};
  return ::poll(&poll, 1, 0) == 0;
}

}  // namespace flowspec
