#include "actors/tcp_probe.hpp"

#include <cerrno>
#include <memory>
#include <system_error>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace flowspec {

namespace {

using Clock = std::chrono::steady_clock;

class Socket {
 public:
  explicit Socket(const addrinfo& address)
      : fd_(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }

  /// Waits for `events`; false at the end of the time.
  bool wait(short events, Clock::time_point end) const {
    for (;;) {
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
      if (left <= 0)
        return false;
      pollfd entry{fd_, events, 0};
      int ready = ::poll(&entry, 1, static_cast<int>(left));
      if (ready > 0)
        return true;
      if (ready < 0 && errno != EINTR)
        return false;
    }
  }

 private:
  int fd_;
};

std::string text_of(int error) {
  return std::generic_category().message(error);
}

std::optional<std::string> try_address(const addrinfo& address, Clock::time_point end,
                                       bool greeting) {
  Socket socket(address);
  if (socket.fd() < 0)
    return text_of(errno);
  if (::connect(socket.fd(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS)
      return text_of(errno);
    if (!socket.wait(POLLOUT, end))
      return "no answer in time";
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0)
      error = errno;
    if (error != 0)
      return text_of(error);
  }
  if (!greeting)
    return std::nullopt;
  if (!socket.wait(POLLIN, end))
    return "it takes connections but says nothing; it is stopped, or no flowspec-node, or one that "
           "wants TLS";
  char byte = 0;
  if (::recv(socket.fd(), &byte, 1, 0) != 1)
    return "it hung up";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> probe_tcp(const std::string& host, std::uint16_t port,
                                     std::chrono::milliseconds limit, bool greeting) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  auto end = Clock::now() + limit;
  if (int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found))
    return std::string("unknown host: ") + ::gai_strerror(code);
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  std::optional<std::string> problem = "the host has no address";
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    problem = try_address(*address, end, greeting);
    if (!problem)
      break;
  }
  return problem;
}

}  // namespace flowspec
