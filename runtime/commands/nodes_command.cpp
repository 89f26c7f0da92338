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
#include "runtime/cluster/tls.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/console/output.hpp"
#include "runtime/console/signals.hpp"
#include "runtime/membership/network.hpp"
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
    json["connections"] = Json::array();
    for (const PeerConnection& peer : node.info.connections)
      json["connections"].push_back({{"name", one_line(peer.name)},
                                     {"address", one_line(peer.address)},
                                     {"bytes_in", peer.bytes_in},
                                     {"bytes_out", peer.bytes_out},
                                     {"bytes_in_per_s", peer.bytes_in_per_s},
                                     {"bytes_out_per_s", peer.bytes_out_per_s},
                                     {"control_frames", peer.control_frames},
                                     {"data_frames", peer.data_frames},
                                     {"waiting_bytes", peer.waiting_bytes},
                                     {"round_trip_us", peer.round_trip_us}});
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

/// All connections but the one by which this program asks, which is the newest.
std::vector<Row> connection_rows(const Json& nodes) {
  std::vector<Row> rows{
      {"NODE", "CONNECTED WITH", "QUEUED", "IN KB/s", "OUT KB/s", "IN MB", "OUT MB", "TRIP ms"}};
  for (const Json& node : nodes) {
    if (!node.contains("connections"))
      continue;
    const auto& peers = node.at("connections");
    for (std::size_t i = 0; i + 1 < peers.size(); ++i) {
      const auto& peer = peers[i];
      auto number = [&](const char* key) { return peer.at(key).get<double>(); };
      rows.push_back({node.at("name").get<std::string>(),
                      fmt::format("{} ({})", peer.at("name").get<std::string>(),
                                  peer.at("address").get<std::string>()),
                      fmt::format("{}+{}", number("control_frames"), number("data_frames")),
                      fmt::format("{:.0f}", number("bytes_in_per_s") / 1e3),
                      fmt::format("{:.0f}", number("bytes_out_per_s") / 1e3),
                      fmt::format("{:.1f}", number("bytes_in") / 1e6),
                      fmt::format("{:.1f}", number("bytes_out") / 1e6),
                      fmt::format("{:.1f}", number("round_trip_us") / 1e3)});
    }
  }
  return rows;
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
  if (auto lines = connection_rows(nodes); lines.size() > 1)
    text += "\n" + aligned(lines);
  for (const auto& [kind, addresses] : numerics)
    text += numerics.size() > 1 ? fmt::format("Numerics {}:{}\n", kind, addresses)
                                : fmt::format("Numerics {}\n", kind);
  return wrap(text + errors, 80);
}

ExitCode ask_nodes(const NodesOptions& options) {
  auto cluster = named_cluster(options.cluster_file, options.nodes);
  if (cluster.nodes.empty())
    cluster.nodes.push_back({"127.0.0.1", default_port});
  check_tls(options.network);
  Signals signals([](int) { leave(ExitCode::cancelled); });
  auto network = network_for(options.network, cluster.nodes);
  return with_actors(cluster, network, [&](caf::actor_system& system) {
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
