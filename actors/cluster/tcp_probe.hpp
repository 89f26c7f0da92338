#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "actors/cluster/resolve.hpp"

namespace flowspec {

struct TcpProbe {
  /// In numbers: the address that answered. Empty where none did.
  std::string address;
  /// What is wrong; empty if the server can be reached.
  std::string problem;
};

/// Tries to reach a server: CAF's own `connect` blocks for minutes on a host that does not answer,
/// and takes only one of a host's addresses. All are tried at once, so that a dead one costs no
/// time.
/// @param greeting  also wait until the server has sent something, as a node does at once without
///                  TLS; a stopped process accepts connections but sends nothing.
TcpProbe probe_tcp(const std::vector<HostAddress>& addresses, std::chrono::milliseconds limit,
                   bool greeting);

/// Why nothing can listen there, in the system's words; empty if it seems to be possible.
std::string listen_problem(const HostAddress& address);

}  // namespace flowspec
