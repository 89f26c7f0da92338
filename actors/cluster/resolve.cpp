#include "actors/cluster/resolve.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <system_error>
#include <thread>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

namespace flowspec {

namespace {

/// Most addresses of a host that are tried.
constexpr std::size_t most_addresses = 8;
/// Most threads that may wait for name servers at the same time, over all callers.
constexpr int most_lookups = 32;

Resolved look_up(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  Resolved result;
  if (int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found)) {
    result.problem = std::string("unknown host: ") + ::gai_strerror(code);
    return result;
  }
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  for (const addrinfo* entry = found; entry != nullptr && result.addresses.size() < most_addresses;
       entry = entry->ai_next) {
    HostAddress address;
    address.size = std::min<socklen_t>(entry->ai_addrlen, sizeof address.storage);
    std::memcpy(&address.storage, entry->ai_addr, address.size);
    result.addresses.push_back(address);
  }
  if (result.addresses.empty())
    result.problem = "the host has no address";
  return result;
}

/// A dot at the end of a name marks it as complete, which the hosts file does not know.
Resolved look_up_name(const std::string& host, std::uint16_t port) {
  auto result = look_up(host, port, 0);
  if (!result.problem.empty() && host.size() > 1 && host.ends_with('.'))
    if (auto again = look_up(host.substr(0, host.size() - 1), port, 0); again.problem.empty())
      result = std::move(again);
  drop_link_local(result);
  return result;
}

std::atomic<int> lookups = 0;

/// Counts the lookups in progress.
struct Ticket {
  Ticket() { ++lookups; }
  ~Ticket() { --lookups; }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
};

}  // namespace

std::string HostAddress::text() const {
  std::array<char, NI_MAXHOST> host{};
  if (::getnameinfo(get(), size, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0)
    return "?";
  return host.data();
}

bool HostAddress::is_loopback() const {
  if (family() == AF_INET) {
    sockaddr_in address{};
    std::memcpy(&address, &storage, sizeof address);
    return ntohl(address.sin_addr.s_addr) >> 24U == 127;
  }
  if (family() != AF_INET6)
    return false;
  sockaddr_in6 address{};
  std::memcpy(&address, &storage, sizeof address);
  return IN6_IS_ADDR_LOOPBACK(&address.sin6_addr) ||
         (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr) && address.sin6_addr.s6_addr[12] == 127);
}

bool HostAddress::is_link_local() const {
  sockaddr_in6 address{};
  std::memcpy(&address, &storage, sizeof address);
  return family() == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr);
}

void drop_link_local(Resolved& resolved) {
  auto count = std::erase_if(resolved.addresses, std::mem_fn(&HostAddress::is_link_local));
  if (count > 0 && resolved.addresses.empty())
    resolved.problem = "it has link-local addresses (fe80::) only, which are not supported";
}

Resolved resolve(const std::string& host, std::uint16_t port, std::chrono::milliseconds limit) {
  // getaddrinfo would read the name only up to its zero byte, and no such host exists.
  if (host.find('\0') != std::string::npos)
    return {{}, "unknown host: it has a zero character"};
  if (auto numeric = look_up(host, port, AI_NUMERICHOST); numeric.problem.empty())
    return numeric;
  if (lookups >= most_lookups)
    return {{}, "too many hosts are being looked up"};
  try {
    std::promise<Resolved> promise;
    auto result = promise.get_future();
    std::thread([host, port, promise = std::move(promise),
                 ticket = std::make_unique<Ticket>()]() mutable {
      promise.set_value(look_up_name(host, port));
    }).detach();
    if (result.wait_for(limit) == std::future_status::ready)
      return result.get();
    return {{}, "unknown host: the name servers do not answer in time"};
  } catch (const std::exception& e) {  // no memory, no more threads
    return {{}, std::string("cannot look up the host: ") + e.what()};
  }
}

}  // namespace flowspec
