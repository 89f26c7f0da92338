/// flowspec-node: offers this machine's memory and cores to the pipelines of others.

#include <future>

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/node.hpp"
#include "actors/cluster/node_agent.hpp"
#include "actors/cluster/wire/transport_module.hpp"
#include "models/base/cores.hpp"
#include "models/formats/mapping_guard.hpp"
#include "runtime/cluster/address.hpp"
#include "runtime/cluster/ask.hpp"
#include "runtime/cluster/freed_memory.hpp"
#include "runtime/cluster/node_options.hpp"
#include "runtime/cluster/room_to_start.hpp"
#include "runtime/cluster/system_config.hpp"
#include "runtime/console/cli.hpp"
#include "runtime/console/failure.hpp"
#include "runtime/console/logging.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/signals.hpp"
#include "runtime/membership/network.hpp"

namespace flowspec {

namespace {

/// The address of the options, in numeric form.
Address own_address(NodeProgramOptions& options) {
  auto address = parse_address(options.listen);
  if (options.port)
    address.port = *options.port;
  options.network = network_for(options.network, {address});
  address.host = listen_address(address, options.network.tls.enabled()).text();
  return address;
}

void open_port(caf::actor_system& system, Address& address) {
  caf::scoped_actor self(system);
  auto opener = transport_of(system).middleman();
  try {
    address.port = ask<std::uint16_t>(self, opener, std::chrono::seconds(10), caf::open_atom::value,
                                      address.port, address.host, true);
  } catch (const RuntimeError& e) {
    throw RuntimeError(fmt::format("cannot listen on {}: {}", address.text(), e.what()));
  }
}

int serve(NodeProgramOptions& options) {
  auto address = own_address(options);
  std::promise<int> stop;
  Signals signals([&stop, count = 0](int signal) mutable {
    if (count++ == 0)
      stop.set_value(signal);
  });
  cores::set_budget(options.node.threads);
  auto node = std::make_shared<Node>(options.node);
  SystemConfig config;
  config.enable_network(options.network, options.node.name);
  add_node_agent(config, node);
  std::optional<ExitLimit> exit_limit;  // outlives the system
  caf::actor_system system(config);
  open_port(system, address);
  // Nobody has to read this line: the node serves all the same.
  print(fmt::format(
      "flowspec-node {} listens on {} ({})\n", options.node.name, address.text(),
      options.network.tls.enabled() ? "certificates" : "this machine only, by the user's secret"));
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
  set_up_output("flowspec-node");
  hold_signals();
  guard_mapped_files();
  prepare_for_limits();
  return_freed_memory();
  try {
    NodeProgramOptions options;
    if (auto code = parse_node_program(argc, argv, options))
      return static_cast<int>(check_output(static_cast<ExitCode>(*code)));
    set_up_logging("flowspec-node", options.verbosity);
    return serve(options);
  } catch (const std::exception&) {
    return static_cast<int>(tell_failure());
  }
}
