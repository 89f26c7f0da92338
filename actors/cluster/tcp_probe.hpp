#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "actors/cluster/resolve.hpp"

namespace flowspec {

struct TcpProbe {
  /// Numeric: the address that answered. Empty if none did.
  std::string address;
  /// The error; empty if the server can be reached.
  std::string problem;
};

/// Tries to reach a server: CAF's own `connect` blocks for minutes on a host that does not answer,
/// and tries only one of a host's addresses. All addresses are tried at once, so that a dead one
/// costs no time.
/// @param greeting  also wait until the server has sent something, as a node without TLS does at
///                  once; a stopped process accepts connections but sends nothing.
TcpProbe probe_tcp(const std::vector<HostAddress>& addresses, std::chrono::milliseconds limit,
                   bool greeting);

/// Why nothing can listen on this address, as the system's error text; empty if it seems possible.
std::string listen_problem(const HostAddress& address);

}  // namespace flowspec
