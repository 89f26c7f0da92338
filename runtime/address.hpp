#pragma once

#include <cstdint>
#include <string>

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

/// Whether the host names this machine and no other.
bool is_loopback(const std::string& host);

}  // namespace flowspec
