#include "runtime/cluster/system_config.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include "actors/cluster/coordinator.hpp"
#include "actors/cluster/wire/transport_module.hpp"
#include "actors/support/machine.hpp"
#include "actors/type_ids.hpp"
#include "models/numerics.hpp"
#include "runtime/cluster/room_to_start.hpp"
#include "runtime/cluster/tls.hpp"
#include "runtime/console/one_line.hpp"

namespace flowspec {

SystemConfig::SystemConfig() {
  require_room_to_start();
  add_message_types<caf::id_block::flowspec_messages>();
  add_message_types<caf::id_block::flowspec_actors>();
  // Less latency than work stealing, and no spinning while idle.
  set("scheduler.policy", caf::atom("sharing"));
}

void SystemConfig::enable_network(const NetworkOptions& network, const std::string& name) {
  load<caf::io::middleman>();
  TransportOptions wire;
  wire.tls = make_tls(network);
  wire.greeting.oldest_protocol = wire.greeting.newest_protocol = protocol_version;
  wire.greeting.version = FLOWSPEC_VERSION;
  wire.greeting.name = one_line(name.empty() ? machine_name() : name);
  wire.greeting.numerics = {numerics_id()};
  wire.greeting.heartbeat = network.tolerate / heartbeats_to_loss;
  load_transport(*this, std::move(wire));
}

}  // namespace flowspec
