#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace flowspec {

/// Tries to reach a server: CAF's own `connect` blocks for minutes on a host that does not answer.
/// @param greeting  also wait until the server has sent something, as a node does at once without
///                  TLS; a stopped process accepts connections but sends nothing.
/// @return what is wrong, or nothing if the server can be reached.
std::optional<std::string> probe_tcp(const std::string& host, std::uint16_t port,
                                     std::chrono::milliseconds limit, bool greeting);

}  // namespace flowspec
