#pragma once
/// What host names stand for, found within a limit.

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
  /// In numbers: "10.0.0.1" or "::1".
  std::string text() const;
  /// Whether only this machine can be reached by it, and reach it.
  bool is_loopback() const;
  /// fe80::/10, which means something only together with a link, and CAF knows no links.
  bool is_link_local() const;
};

struct Resolved {
  /// In the order in which they should be tried; empty where there is a problem.
  std::vector<HostAddress> addresses;
  std::string problem;
};

/// Time that a name server may take, which is asked again by the system after 5 s.
inline constexpr std::chrono::seconds resolve_limit{6};

/// Names stand for link-local addresses too, which are left out.
void drop_link_local(Resolved& resolved);

/// Looks up a name, or reads an address in numbers. The system's own function has no limit: it goes
/// on in a thread of its own where it is not waited for any longer.
Resolved resolve(const std::string& host, std::uint16_t port,
                 std::chrono::milliseconds limit = resolve_limit);

}  // namespace flowspec
