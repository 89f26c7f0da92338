#pragma once
/// Sockets as strangers use them.

#include <chrono>
#include <cstdint>
#include <string>

#include "actors/cluster/resolve.hpp"

namespace flowspec::test {

/// A numeric host; fails the test for anything else.
HostAddress numeric_address(const std::string& host, std::uint16_t port);

/// A socket on a free port of 127.0.0.1, which says nothing. Without a backlog it does not listen, and
/// connections to it are refused.
class MuteServer {
 public:
  explicit MuteServer(int backlog = 8);
  ~MuteServer();
  MuteServer(const MuteServer&) = delete;
  MuteServer& operator=(const MuteServer&) = delete;

  std::uint16_t port() const { return port_; }
  HostAddress address() const { return numeric_address("127.0.0.1", port_); }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

/// A connection that sends any bytes.
class RawConnection {
 public:
  explicit RawConnection(int port);
  ~RawConnection();
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  /// False if the peer has closed.
  bool send(const std::string& bytes) const;
  /// Whether the peer closes within this time; reads what it says until then.
  bool is_closed_within(std::chrono::milliseconds limit) const;
  /// Ends with a reset in place of an orderly end.
  void reset();

 private:
  int fd_;
};

}  // namespace flowspec::test
