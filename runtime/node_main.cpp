/// flowspec-node: offers this machine's memory and cores to the pipelines of others.

#include <cstdio>
#include <future>

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <caf/openssl/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "actors/machine.hpp"
#include "actors/node.hpp"
#include "actors/node_agent.hpp"
#include "runtime/ask.hpp"
#include "runtime/cli.hpp"
#include "runtime/logging.hpp"
#include "runtime/signals.hpp"
#include "runtime/system_config.hpp"

namespace flowspec {

namespace {

struct NodeProgramOptions {
  std::string listen = "127.0.0.1";
  /// As given on its own; 0: any free port.
  std::optional<std::uint16_t> port;
  NodeOptions node;
  NetworkOptions network;
  Verbosity verbosity = Verbosity::verbose;
};

std::string host_name() {
  utsname names{};
  return ::uname(&names) == 0 ? names.nodename : "node";
}

/// Returns an exit code where there is nothing else to do.
std::optional<int> read_options(int argc, char** argv, NodeProgramOptions& options) {
  CLI::App app("Offers this machine to the pipelines of flowspec.");
  app.set_version_flag("--version", [] { return version_text("flowspec-node"); });
  auto* listen = app.add_option("--listen", options.listen,
                                fmt::format("Address to listen on, host:port (default "
                                            "127.0.0.1:{}); other machines need TLS",
                                            default_port));
  app.add_option("--port", options.port, "Port on 127.0.0.1; 0 takes any that is free")
      ->excludes(listen);
  app.add_option("--models", options.node.models, "Folders with model files, searched in depth")
      ->check(CLI::ExistingDirectory);
  app.add_option("--name", options.node.name, "Name for messages (default: the machine's)");
  app.add_option("--threads", options.node.threads, "Threads of a stage (default: all cores)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--max-stages", options.node.max_stages, "Stages of all users together (8)")
      ->check(CLI::Range(1, 1024));
  std::uint64_t kv_mib = 0;
  app.add_option("--kv-memory", kv_mib,
                 "MiB of KV that the sessions of one stage may take (default: a quarter of the "
                 "memory, divided by --max-stages)")
      ->check(CLI::Range(1, 1 << 24));
  app.add_flag_callback(
      "-q,--quiet", [&] { options.verbosity = Verbosity::normal; }, "Log warnings only");
  add_network_options(app, options.network);
  options.node.threads = usable_cores();
  if (auto code = parse(app, argc, argv))
    return code;
  if (options.node.name.empty())
    options.node.name = host_name();
  options.node.version = FLOWSPEC_VERSION;
  options.node.kv_limit =
      kv_mib != 0 ? kv_mib << 20 : machine_memory().total / 4 / options.node.max_stages;
  return std::nullopt;
}

Address listen_address(const NodeProgramOptions& options) {
  auto address = parse_address(options.listen);
  if (options.port)
    address.port = *options.port;
  if (!options.network.tls.enabled() && !is_loopback(address.host))
    throw RuntimeError(fmt::format(
        "without certificates anybody who reaches {} could use this machine. Give --cert, --key "
        "and --ca, or listen on 127.0.0.1.",
        address.host));
  if (address.host == "localhost")
    address.host = "127.0.0.1";
  return address;
}

void open_port(caf::actor_system& system, Address& address) {
  caf::scoped_actor self(system);
  auto opener = system.has_openssl_manager() ? system.openssl_manager().actor_handle()
                                             : system.middleman().actor_handle();
  try {
    address.port = ask<std::uint16_t>(self, opener, std::chrono::seconds(10), caf::open_atom::value,
                                      address.port, address.host, true);
  } catch (const RuntimeError& e) {
    throw RuntimeError(fmt::format("cannot listen on {}: {}", address.text(), e.what()));
  }
}

int serve(const NodeProgramOptions& options) {
  auto address = listen_address(options);
  check_tls(options.network.tls);
  std::promise<int> stop;
  Signals signals([&stop, count = 0](int signal) mutable {
    if (count++ == 0)
      stop.set_value(signal);
  });
  auto node = std::make_shared<Node>(options.node);
  SystemConfig config;
  config.enable_network(options.network);
  add_node_agent(config, node);
  std::optional<ExitLimit> exit_limit;  // outlives the system
  caf::actor_system system(config);
  open_port(system, address);
  fmt::print("flowspec-node {} listens on {} ({})\n", options.node.name, address.text(),
             options.network.tls.enabled() ? "TLS" : "this machine only, without TLS");
  std::fflush(stdout);
  auto signal = stop.get_future().get();
  spdlog::info("leaves, signal {}", signal);
  exit_limit.emplace(2, 0);
  node->close();
  return 0;
}

}  // namespace

}  // namespace flowspec

int main(int argc, char** argv) {
  using namespace flowspec;
  try {
    NodeProgramOptions options;
    if (auto code = read_options(argc, argv, options))
      return *code;
    set_up_logging("flowspec-node", options.verbosity);
    return serve(options);
  } catch (const RuntimeError& e) {
    fmt::print(stderr, "flowspec-node: {}\n", e.what());
    return static_cast<int>(e.code());
  } catch (const std::exception& e) {
    fmt::print(stderr, "flowspec-node: {}\n", e.what());
    return static_cast<int>(ExitCode::failed);
  }
}
