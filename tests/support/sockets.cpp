#include "tests/support/sockets.hpp"

#include <array>

#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace flowspec::test {

HostAddress numeric_address(const std::string& host, std::uint16_t port) {
  auto resolved = resolve(host, port);
  BOOST_REQUIRE_MESSAGE(resolved.addresses.size() == 1, resolved.problem);
  return resolved.addresses.front();
}

MuteServer::MuteServer(int backlog) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  auto any = numeric_address("127.0.0.1", 0);
  BOOST_REQUIRE(::bind(fd_, any.get(), any.size) == 0);
  if (backlog > 0)
    BOOST_REQUIRE(::listen(fd_, backlog) == 0);
  sockaddr_in own{};
  socklen_t size = sizeof own;
  BOOST_REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &size) == 0);
  port_ = ntohs(own.sin_port);
}

MuteServer::~MuteServer() {
  ::close(fd_);
}

RawConnection::RawConnection(int port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  auto address = numeric_address("127.0.0.1", static_cast<std::uint16_t>(port));
  BOOST_REQUIRE(::connect(fd_, address.get(), address.size) == 0);
}

RawConnection::~RawConnection() {
  ::close(fd_);
}

bool RawConnection::send(const std::string& bytes) const {
  return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(bytes.size());
}

bool RawConnection::is_closed_within(std::chrono::milliseconds limit) const {
  auto end = std::chrono::steady_clock::now() + limit;
  std::array<char, 4096> buffer;
  while (std::chrono::steady_clock::now() < end) {
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, 50) > 0 && ::recv(fd_, buffer.data(), buffer.size(), 0) <= 0)
      return true;
  }
  return false;
}

void RawConnection::reset() {
  linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::shutdown(fd_, SHUT_RD);
}

}  // namespace flowspec::test
