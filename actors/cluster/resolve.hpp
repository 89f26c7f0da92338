#pragma once
/// Resolves host names within a time limit.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/socket.h>

namespace flowspec {

/// One address of a host, with a port.
struct HostAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  /// Numeric: "10.0.0.1" or "::1".
  std::string text() const;
  /// Whether the address is reachable only from this machine.
  bool is_loopback() const;
  /// fe80::/10: such an address needs a link (a zone), and CAF knows no links.
  bool is_link_local() const;
};

struct Resolved {
  /// In the order in which they should be tried; empty if there is a problem.
  std::vector<HostAddress> addresses;
  std::string problem;
};

/// How long a name server may take; the system asks it again after 5 s.
inline constexpr std::chrono::seconds resolve_limit{6};

/// Drops link-local addresses, which a name may also resolve to.
void drop_link_local(Resolved& resolved);

/// Looks up a name, or parses a numeric address. The system's own function has no limit: it runs on
/// a thread of its own, which goes on when the limit has passed.
Resolved resolve(const std::string& host, std::uint16_t port,
                 std::chrono::milliseconds limit = resolve_limit);

}  // namespace flowspec
