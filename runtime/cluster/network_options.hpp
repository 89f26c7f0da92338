#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "runtime/cluster/tls.hpp"

namespace CLI {
class App;
}

namespace flowspec {

/// How to reach other processes.
struct NetworkOptions {
  TlsOptions tls;
  /// A node that is silent for `heartbeats_to_timeout` heartbeats is lost.
  std::chrono::milliseconds heartbeat{500};
};
inline constexpr int heartbeats_to_timeout = 10;

void add_network_options(CLI::App& app, NetworkOptions& network);
void add_cluster_options(CLI::App& app, std::string& file, std::vector<std::string>& nodes);

}  // namespace flowspec
