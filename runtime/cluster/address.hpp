#pragma once

#include <cstdint>
#include <string>

#include "actors/cluster/resolve.hpp"

namespace flowspec {

inline constexpr std::uint16_t default_port = 7341;

/// Where a node listens.
struct Address {
  std::string host;
  std::uint16_t port = default_port;

  /// "host:port", with an IPv6 address in brackets.
  std::string text() const;
  friend bool operator==(const Address&, const Address&) = default;
};

/// Reads "host:port", "host" (with the default port) or "[::1]:port". Throws RuntimeError.
Address parse_address(const std::string& text);

/// The numeric address to listen on: a name is looked up once, so that it cannot mean something
/// else later. Without TLS only this machine may connect: all addresses of the host have to be
/// loopback addresses. Throws RuntimeError.
HostAddress listen_address(const Address& address, bool uses_tls);

}  // namespace flowspec
