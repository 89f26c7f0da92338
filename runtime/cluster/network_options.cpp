#include "runtime/cluster/network_options.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace flowspec {

void add_network_options(CLI::App& app, NetworkOptions& network) {
  auto* tls = app.add_option_group("TLS", "Certificates (PEM) for connections with other machines");
  tls->add_option("--cert", network.tls.certificate, "Own certificate")->check(CLI::ExistingFile);
  tls->add_option("--key", network.tls.key, "Key of the certificate, without pass phrase")
      ->check(CLI::ExistingFile);
  tls->add_option("--ca", network.tls.ca, "Certificate of the authority that signs all nodes'")
      ->check(CLI::ExistingFile);
  app.add_option_function<int>(
         "--heartbeat", [&network](int ms) { network.heartbeat = std::chrono::milliseconds(ms); },
         fmt::format("Milliseconds between signs of life; a node that is silent for {} of them is "
                     "lost (default 500)",
                     heartbeats_to_timeout))
      ->check(CLI::Range(100, 60000));
}

void add_cluster_options(CLI::App& app, std::string& file, std::vector<std::string>& nodes) {
  auto* by_file = app.add_option("--cluster", file, "File that lists the nodes (see config/)");
  auto* by_name = app.add_option("--node", nodes, "A node, host:port; repeat in pipeline order")
                      ->take_all()
                      ->allow_extra_args(false);
  by_name->excludes(by_file);
}

}  // namespace flowspec
