#include "runtime/cluster/address.hpp"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"

namespace flowspec {

std::string Address::text() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

namespace {

/// fe80::/10: means a different machine on each link, and so needs a zone.
bool is_link_local(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, host.c_str(), &address) == 1 && IN6_IS_ADDR_LINKLOCAL(&address);
}

/// Rejects hosts that CAF, or anybody, cannot connect to.
template <class Malformed>
void check_host(const std::string& host, const Malformed& malformed) {
  if (host.empty())
    throw malformed("it has no host");
  // The system's functions would accept it as an address: 7341 as 0.0.28.173.
  if (std::ranges::all_of(host, [](char c) { return c >= '0' && c <= '9'; }))
    throw malformed("it is a number without a host");
  if (is_link_local(host))
    throw malformed(
        "link-local addresses (fe80::) are not supported; take another of the "
        "machine's");
  if (host.find('%') != std::string::npos)
    throw malformed("addresses with a zone (%) are not supported; take another of the machine's");
  if (one_line(host) != host || host.find(' ') != std::string::npos)
    throw malformed("the host has characters that no host has");
}

}  // namespace

Address parse_address(const std::string& text) {
  auto malformed = [&](const char* why) {
    return RuntimeError(
        fmt::format("\"{}\" is no address: {}. Write host:port.", one_line(text), why));
  };
  if (text.find("://") != std::string::npos)
    throw malformed("it is no URL, nothing stands before the host");
  Address address;
  std::string rest;
  if (text.starts_with('[')) {
    auto end = text.find(']');
    if (end == std::string::npos)
      throw malformed("the bracket is not closed");
    address.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    auto colon = text.find(':');
    if (colon != text.rfind(':'))
      throw malformed("with more than one colon it needs brackets, as [::1]:7341");
    address.host = text.substr(0, colon);
    rest = colon == std::string::npos ? "" : text.substr(colon);
  }
  check_host(address.host, malformed);
  if (rest.empty())
    return address;
  const char* end = rest.data() + rest.size();
  unsigned port = 0;
  auto [stop, error] = std::from_chars(rest.data() + 1, end, port);
  if (rest.front() != ':' || error != std::errc{} || stop != end || port == 0 || port > 65535)
    throw malformed("the port is not a number from 1 to 65535");
  address.port = static_cast<std::uint16_t>(port);
  return address;
}

HostAddress listen_address(const Address& address, bool uses_tls) {
  auto resolved = resolve(address.host, address.port);
  if (!resolved.problem.empty())
    throw RuntimeError(
        fmt::format("cannot listen on {}: {}", one_line(address.text()), resolved.problem));
  const auto& all = resolved.addresses;
  auto open = std::ranges::find_if_not(all, &HostAddress::is_loopback);
  if (!uses_tls && open != all.end()) {
    auto host = one_line(address.host);
    if (host != open->text())
      host += fmt::format(" ({})", open->text());
    throw RuntimeError(fmt::format(
        "without certificates anybody who reaches {} could use this machine. Make a cluster "
        "(flowspec cluster init), join one, give --cert, --key and --ca, or listen on 127.0.0.1.",
        host));
  }
  // IPv4 if there is one: the same on all machines, whichever address "localhost" has first.
  auto usual = std::ranges::find(all, AF_INET, &HostAddress::family);
  return usual != all.end() ? *usual : all.front();
}

}  // namespace flowspec
