#include "runtime/run/with_actors.hpp"

#include <optional>

#include <caf/all.hpp>

#include "actors/support/actor_threads.hpp"
#include "runtime/cluster/system_config.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/signals.hpp"

namespace flowspec {

namespace {

constexpr int end_limit_s = 3;

}  // namespace

void with_system(const Cluster& cluster, const NetworkOptions& network,
                 const std::function<void(caf::actor_system&)>& body) {
  SystemConfig config;
  if (!cluster.nodes.empty())
    config.enable_network(network);
  caf::actor_system system(config);
  ActorThreads threads(system);
  body(system);
}

ExitCode with_actors(const Cluster& cluster, const NetworkOptions& network,
                     const std::function<ExitCode(caf::actor_system&)>& body) {
  std::optional<ExitLimit> exit_limit;  // outlives the system
  auto code = ExitCode::ok;
  with_system(cluster, network, [&](caf::actor_system& system) {
    code = check_output(body(system));
    exit_limit.emplace(end_limit_s, static_cast<int>(code));
  });
  return code;
}

}  // namespace flowspec
