#include "actors/cluster/tcp_probe.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <deque>
#include <optional>
#include <system_error>

#include <poll.h>
#include <unistd.h>

namespace flowspec {

namespace {

using Clock = std::chrono::steady_clock;

std::string text_of(int error) {
  auto text = std::generic_category().message(error);
  std::ranges::transform(text.begin(), text.begin() + 1, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// One attempt to connect; never blocks.
class Attempt {
 public:
  Attempt(const HostAddress& address, bool greeting)
      : address_(address.text()),
        greeting_(greeting),
        fd_(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0 || (::connect(fd_, address.get(), address.size) != 0 && errno != EINPROGRESS))
      problem_ = text_of(errno);
  }
  ~Attempt() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  const std::string& address() const { return address_; }
  bool has_failed() const { return problem_.has_value(); }
  pollfd waits_for() const {
    return {has_failed() ? -1 : fd_, static_cast<short>(connected_ ? POLLIN : POLLOUT), 0};
  }

  /// To be called when the descriptor is ready; true when the server has answered.
  bool step() {
    if (!connected_) {
      int error = 0;
      socklen_t size = sizeof error;
      if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
      if (error != 0)
        problem_ = text_of(error);
      connected_ = error == 0;
      return connected_ && !greeting_;
    }
    char byte = 0;
    auto count = ::recv(fd_, &byte, 1, 0);
    if (count == 1)
      return true;
    if (count == 0 || (errno != EAGAIN && errno != EINTR))
      problem_ = "it hung up";
    return false;
  }

  std::string problem() const {
    if (problem_)
      return *problem_;
    return connected_ ? "it takes connections but says nothing; it is stopped, or no "
                        "flowspec-node, or one that wants TLS"
                      : "no answer in time";
  }

 private:
  std::string address_;
  bool greeting_;
  int fd_;
  bool connected_ = false;
  std::optional<std::string> problem_;
};

/// The addresses are named only if there are several.
std::string problem_of(const std::deque<Attempt>& attempts) {
  if (attempts.size() == 1)
    return attempts.front().problem();
  std::string text;
  for (const Attempt& attempt : attempts)
    text += (text.empty() ? "" : "; ") + attempt.address() + ": " + attempt.problem();
  return text;
}

}  // namespace

TcpProbe probe_tcp(const std::vector<HostAddress>& addresses, std::chrono::milliseconds limit,
                   bool greeting) {
  auto end = Clock::now() + limit;
  std::deque<Attempt> attempts;
  for (const HostAddress& address : addresses)
    attempts.emplace_back(address, greeting);
  while (!std::ranges::all_of(attempts, &Attempt::has_failed)) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0)
      break;
    std::vector<pollfd> waits;
    waits.reserve(attempts.size());
    for (const Attempt& attempt : attempts)
      waits.push_back(attempt.waits_for());
    if (::poll(waits.data(), waits.size(), static_cast<int>(left)) < 0) {
      if (errno == EINTR)
        continue;
      return {"", text_of(errno)};
    }
    for (std::size_t i = 0; i < waits.size(); ++i)
      if (waits[i].revents != 0 && attempts[i].step())
        return {attempts[i].address(), ""};
  }
  return {"", attempts.empty() ? "the host has no address" : problem_of(attempts)};
}

std::string listen_problem(const HostAddress& address) {
  int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return text_of(errno);
  int on = 1;
  auto fails = ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
               ::bind(fd, address.get(), address.size) != 0 || ::listen(fd, 1) != 0;
  auto problem = fails ? text_of(errno) : "";
  ::close(fd);
  return problem;
}

}  // namespace flowspec
