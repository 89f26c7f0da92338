#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "actors/cluster/wire/tls.hpp"

namespace CLI {
class App;
}

namespace flowspec {

/// How to reach other processes.
struct NetworkOptions {
  TlsFiles tls;
  /// In place of the user's own secret, where there are no certificates; empty: the user's own.
  std::string secret_file;
  /// Use the certificate of this user's membership (`flowspec cluster`) on this machine too.
  bool member = false;
  /// A node that is silent for so long is lost. Of two sides, the more patient one counts.
  std::chrono::milliseconds tolerate{900};
};

void add_network_options(CLI::App& app, NetworkOptions& network);
void add_cluster_options(CLI::App& app, std::string& file, std::vector<std::string>& nodes);
/// Where verifier, draft, and tree pruner run.
void add_place_option(CLI::App& app, std::string& place);
void add_spare_option(CLI::App& app, std::vector<std::string>& spares);

}  // namespace flowspec
