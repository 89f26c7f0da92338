#include "runtime/cluster/network_options.hpp"

#include <CLI/CLI.hpp>
namespace flowspec {

void add_network_options(CLI::App& app, NetworkOptions& network) {
  auto* tls = app.add_option_group("TLS", "Certificates (PEM) for connections with other machines");
  auto* certificate = tls->add_option("--cert", network.tls.certificate, "Own certificate")
                          ->check(CLI::ExistingFile);
  auto* key =
      tls->add_option("--key", network.tls.key, "Key of the certificate, without pass phrase")
          ->check(CLI::ExistingFile);
  auto* ca =
      tls->add_option("--ca", network.tls.ca, "Certificate of the authority that signs all nodes'")
          ->check(CLI::ExistingFile);
  auto* crl = tls->add_option("--crl", network.tls.crl, "Revocation list of that authority")
                  ->check(CLI::ExistingFile);
  auto* secret =
      app.add_option("--secret-file", network.secret_file,
                     "Without certificates: the secret that both sides know (default: the user's "
                     "own)")
          ->check(CLI::ExistingFile);
  auto* member = app.add_flag(
      "--member", network.member,
      "On this machine's own addresses too, use the certificate of `flowspec cluster` in place of "
      "the user's secret; with other machines it is used by itself");
  for (auto* other : {certificate, key, ca, crl, secret})
    member->excludes(other);
  app.add_option_function<double>(
         "--tolerate",
         [&network](double seconds) {
           network.tolerate = std::chrono::milliseconds(static_cast<std::int64_t>(1000 * seconds));
         },
         "Seconds of silence after which a node is lost (default 0.9); of both sides' values the "
         "larger counts")
      ->check(CLI::Range(0.5, 600.0));
}

void add_cluster_options(CLI::App& app, std::string& file, std::vector<std::string>& nodes) {
  auto* by_file = app.add_option("--cluster", file, "File that lists the nodes (see config/)");
  auto* by_name = app.add_option("--node", nodes, "A node, host:port; repeat in pipeline order")
                      ->take_all()
                      ->allow_extra_args(false);
  by_name->excludes(by_file);
}

void add_place_option(CLI::App& app, std::string& place) {
  app.add_option("--place", place,
                 "Where verifier, draft and pruner run, as draft=NODE,verifier=last: a node of the "
                 "run, its last one, or here (default: here; what has no weights here: the last)")
      ->type_name("PART=NODE,...");
}

void add_spare_option(CLI::App& app, std::vector<std::string>& spares) {
  app.add_option("--spare", spares,
                 "A node that takes over the layers of one that is lost, host:port; repeat")
      ->take_all()
      ->allow_extra_args(false);
}

}  // namespace flowspec
