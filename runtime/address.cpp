#include "runtime/address.hpp"

#include <charconv>

#include <fmt/format.h>

#include "runtime/error.hpp"

namespace flowspec {

std::string Address::text() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

Address parse_address(const std::string& text) {
  auto malformed = [&](const char* why) {
    return RuntimeError(fmt::format("\"{}\" is no address: {}. Write host:port.", text, why));
  };
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
    address.host = text.substr(0, colon);
    rest = colon == std::string::npos ? "" : text.substr(colon);
  }
  if (address.host.empty())
    throw malformed("it has no host");
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

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace flowspec
