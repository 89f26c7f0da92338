#include "runtime/nodes_command.hpp"

#include <caf/all.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/end_actor.hpp"
#include "actors/type_ids.hpp"
#include "runtime/ask.hpp"
#include "runtime/nodes.hpp"
#include "runtime/output.hpp"
#include "runtime/signals.hpp"
#include "runtime/system_config.hpp"

namespace flowspec {

namespace {

using Json = nlohmann::ordered_json;

/// What one node says, or {"address", "error"}.
Json describe(caf::actor_system& system, const Address& address) {
  Json json{{"address", address.text()}};
  try {
    caf::scoped_actor self(system);
    auto nodes = join_nodes(system, {address}, caf::actor_cast<caf::actor>(self));
    const RemoteNode& node = nodes.front();
    auto stages =
        ask<std::vector<StageStatsMessage>>(self, node.agent, std::chrono::seconds(5), status_a_v);
    end_actor(node.agent);
    std::uint64_t sessions = 0;
    std::uint64_t kv_bytes = 0;
    for (const StageStatsMessage& message : stages)
      if (auto stats = message.read()) {
        sessions += stats->sessions;
        kv_bytes += stats->kv_bytes;
      }
    json["name"] = node.info.name;
    json["version"] = node.info.version;
    json["numerics"] = node.info.numerics;
    json["cores"] = node.info.cores;
    json["memory_bytes"] = node.info.memory_bytes;
    json["free_memory_bytes"] = node.info.free_memory_bytes;
    json["stages"] = node.info.stages;
    json["sessions"] = sessions;
    json["kv_bytes"] = kv_bytes;
  } catch (const RuntimeError& e) {
    json["error"] = e.what();
  }
  return json;
}

std::string table(const Json& nodes) {
  constexpr const char* line = "{:<22} {:<16} {:<9} {:>5} {:>15} {:>6} {:>8} {:>8}  {}\n";
  auto text = fmt::format(line, "ADDRESS", "NAME", "VERSION", "CORES", "FREE/ALL MiB", "STAGES",
                          "SESSIONS", "KV MiB", "NUMERICS");
  for (const Json& node : nodes) {
    auto word = [&](const char* key) { return node.at(key).get<std::string>(); };
    auto number = [&](const char* key) { return node.at(key).get<std::uint64_t>(); };
    if (node.contains("error")) {
      text += fmt::format("{:<22} {}\n", word("address"), word("error"));
      continue;
    }
    auto memory =
        fmt::format("{}/{}", number("free_memory_bytes") >> 20, number("memory_bytes") >> 20);
    text += fmt::format(line, word("address"), word("name"), word("version"), number("cores"),
                        memory, number("stages"), number("sessions"), number("kv_bytes") >> 20,
                        word("numerics"));
  }
  return text;
}

}  // namespace

ExitCode show_nodes(const NodesOptions& options) {
  auto cluster = named_cluster(options.cluster_file, options.nodes);
  if (cluster.nodes.empty())
    cluster.nodes.push_back({"127.0.0.1", default_port});
  check_tls(options.network.tls);
  Signals signals([](int) { leave(ExitCode::cancelled); });
  SystemConfig config;
  config.enable_network(options.network);
  std::optional<ExitLimit> exit_limit;  // outlives the system
  caf::actor_system system(config);
  auto nodes = Json::array();
  bool all_answer = true;
  for (const Address& address : cluster.nodes) {
    nodes.push_back(describe(system, address));
    all_answer = all_answer && !nodes.back().contains("error");
  }
  if (options.json)
    print(Json{{"nodes", nodes}}.dump() + "\n");
  else
    print(table(nodes));
  auto code = check_output(all_answer ? ExitCode::ok : ExitCode::failed);
  exit_limit.emplace(3, static_cast<int>(code));
  return code;
}

}  // namespace flowspec
