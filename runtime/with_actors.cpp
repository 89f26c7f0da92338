#include "runtime/with_actors.hpp"

#include <optional>

#include <caf/all.hpp>

#include "actors/actor_threads.hpp"
#include "runtime/output.hpp"
#include "runtime/signals.hpp"
#include "runtime/system_config.hpp"

namespace flowspec {

namespace {

constexpr int end_limit_s = 3;

}  // namespace

ExitCode with_actors(const Cluster& cluster, const NetworkOptions& network,
                     const std::function<ExitCode(caf::actor_system&)>& body) {
  SystemConfig config;
  if (!cluster.nodes.empty())
    config.enable_network(network);
  std::optional<ExitLimit> exit_limit;  // outlives the system
  caf::actor_system system(config);
  ActorThreads threads(system);
  auto code = check_output(body(system));
  exit_limit.emplace(end_limit_s, static_cast<int>(code));
  return code;
}

}  // namespace flowspec
