#include "runtime/cluster/system_config.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <caf/openssl/all.hpp>
#include <fmt/format.h>

#include "actors/cluster/coordinator.hpp"
#include "actors/type_ids.hpp"
#include "runtime/cluster/room_to_start.hpp"

namespace flowspec {

SystemConfig::SystemConfig() {
  require_room_to_start();
  add_message_types<caf::id_block::flowspec_messages>();
  add_message_types<caf::id_block::flowspec_actors>();
  // Less latency than work stealing, and no spinning while idle.
  set("scheduler.policy", caf::atom("sharing"));
}

void SystemConfig::enable_network(const NetworkOptions& network) {
  load<caf::io::middleman>();
  // Off by default in CAF; a stopped peer would then never be noticed.
  set("middleman.heartbeat-interval", caf::timespan{network.heartbeat});
  set("middleman.connection-timeout", caf::timespan{network.heartbeat * heartbeats_to_timeout});
  // The first version check: CAF refuses peers that share none of these identifiers.
  set("middleman.app-identifiers",
      std::vector<std::string>{fmt::format("flowspec-{}", protocol_version)});
  if (network.tls.enabled()) {
    load<caf::openssl::manager>();
    set("openssl.certificate", network.tls.certificate);
    set("openssl.key", network.tls.key);
    set("openssl.cafile", network.tls.ca);
  }
}

}  // namespace flowspec
