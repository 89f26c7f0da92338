#include "runtime/commands/nodes_command.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/support/end_actor.hpp"
#include "actors/type_ids.hpp"
#include "runtime/cluster/ask.hpp"
#include "runtime/cluster/nodes.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/signals.hpp"
#include "runtime/run/with_actors.hpp"

namespace flowspec {

namespace {

using Json = nlohmann::ordered_json;

/// The answer of one node, or {"address", "error"}.
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

using Row = std::vector<std::string>;

/// Columns as wide as their content; the first two are text, the others numbers.
std::string aligned(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i)
      text += i < 2 ? fmt::format("{:<{}}  ", row[i], widths[i])
                    : fmt::format("{:>{}}{}", row[i], widths[i], i + 1 < row.size() ? "  " : "");
    text += "\n";
  }
  return text;
}

std::string table(const Json& nodes) {
  std::vector<Row> rows{
      {"ADDRESS", "NAME", "VERSION", "CORES", "FREE/ALL MiB", "STAGES", "SESSIONS", "KV MiB"}};
  std::string errors;
  std::map<std::string, std::string> numerics;  // and who computes so
  for (const Json& node : nodes) {
    auto word = [&](const char* key) { return node.at(key).get<std::string>(); };
    auto number = [&](const char* key) { return node.at(key).get<std::uint64_t>(); };
    if (node.contains("error")) {
      auto error = word("error");
      bool is_named = error.find(word("address")) != std::string::npos;
      errors +=
          is_named ? fmt::format("{}\n", error) : fmt::format("{}: {}\n", word("address"), error);
      continue;
    }
    rows.push_back(
        {word("address"), word("name"), word("version"), std::to_string(number("cores")),
         fmt::format("{}/{}", number("free_memory_bytes") >> 20, number("memory_bytes") >> 20),
         std::to_string(number("stages")), std::to_string(number("sessions")),
         std::to_string(number("kv_bytes") >> 20)});
    numerics[word("numerics")] += fmt::format(" {}", word("address"));
  }
  auto text = rows.size() > 1 ? aligned(rows) : std::string();
  for (const auto& [kind, addresses] : numerics)
    text += numerics.size() > 1 ? fmt::format("Numerics {}:{}\n", kind, addresses)
                                : fmt::format("Numerics {}\n", kind);
  return wrap(text + errors, 80);
}

ExitCode ask_nodes(const NodesOptions& options) {
  auto cluster = named_cluster(options.cluster_file, options.nodes);
  if (cluster.nodes.empty())
    cluster.nodes.push_back({"127.0.0.1", default_port});
  check_tls(options.network.tls);
  Signals signals([](int) { leave(ExitCode::cancelled); });
  return with_actors(cluster, options.network, [&](caf::actor_system& system) {
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
    return all_answer ? ExitCode::ok : ExitCode::failed;
  });
}

}  // namespace

ExitCode show_nodes(const NodesOptions& options) {
  try {
    return ask_nodes(options);
  } catch (const RuntimeError& e) {
    if (options.json)
      print(Json{{"nodes", Json::array()}, {"error", e.what()}}.dump(
                -1, ' ', false, Json::error_handler_t::replace) +
            "\n");
    throw;
  }
}

}  // namespace flowspec
