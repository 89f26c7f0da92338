#include "runtime/cluster/cluster.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/console/read_file.hpp"

namespace flowspec {

namespace {

using Json = nlohmann::json;

/// A typing error in a key would silently change the cluster.
void check_keys(const Json& object, const std::vector<std::string>& known,
                const std::string& what) {
  if (!object.is_object())
    throw RuntimeError(fmt::format("{} has to be an object", what));
  for (const auto& [key, value] : object.items())
    if (std::ranges::find(known, key) == known.end())
      throw RuntimeError(
          fmt::format("{} has an unknown key \"{}\"; there are {}", what, key, Json(known).dump()));
}

std::uint32_t number(const Json& node, const char* key, std::uint32_t most,
                     const std::string& what) {
  const Json& value = node.at(key);
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() == 0 ||
      value.get<std::uint64_t>() > most)
    throw RuntimeError(
        fmt::format("{}: \"{}\" is {}, not a number from 1 to {}", what, key, value.dump(), most));
  return value.get<std::uint32_t>();
}

/// As on a command line, except that IPv6 needs no brackets, and the port has a key of its own.
Address host_of(const std::string& host, const std::string& what) {
  auto is_bare_ipv6 = host.find(':') != host.rfind(':') && !host.starts_with('[');
  try {
    auto address = parse_address(is_bare_ipv6 ? fmt::format("[{}]", host) : host);
    if (address.port == default_port && !host.ends_with(fmt::format(":{}", default_port)))
      return address;
  } catch (const RuntimeError& e) {
    throw RuntimeError(fmt::format("{}: {}", what, e.what()));
  }
  throw RuntimeError(
      fmt::format("{}: write the port of {} behind a key of its own, \"port\"", what, host));
}

void add_node(const Json& node, const std::string& what, Cluster& cluster) {
  check_keys(node, {"host", "port", "layers", "spare"}, what);
  if (!node.contains("host") || !node["host"].is_string() ||
      node["host"].get<std::string>().empty())
    throw RuntimeError(fmt::format("{} has no \"host\"", what));
  Address address = host_of(node["host"].get<std::string>(), what);
  if (node.contains("port"))
    address.port = static_cast<std::uint16_t>(number(node, "port", 65535, what));
  if (node.contains("spare") && !node["spare"].is_boolean())
    throw RuntimeError(fmt::format("{}: \"spare\" is neither true nor false", what));
  if (node.value("spare", false)) {
    if (node.contains("layers"))
      throw RuntimeError(fmt::format("{}: a spare has no layers until another node is lost", what));
    cluster.spares.push_back(address);
    return;
  }
  cluster.nodes.push_back(address);
  if (node.contains("layers"))
    cluster.layers.push_back(number(node, "layers", 4096, what));
}

}  // namespace

Cluster parse_cluster(const std::string& text, const std::string& name) {
  Json json;
  try {
    json = Json::parse(text, nullptr, true, true);
  } catch (const Json::parse_error& e) {
    throw RuntimeError(fmt::format("{} is no JSON: {}", name, e.what()));
  }
  check_keys(json, {"nodes", "place"}, name);
  if (!json.contains("nodes") || !json["nodes"].is_array() || json["nodes"].empty())
    throw RuntimeError(fmt::format("{} has no list \"nodes\"", name));
  Cluster cluster;
  for (std::size_t i = 0; i < json["nodes"].size(); ++i)
    add_node(json["nodes"][i], fmt::format("{}: node {}", name, i + 1), cluster);
  if (cluster.nodes.empty())
    throw RuntimeError(fmt::format("{} lists spares only", name));
  if (!cluster.layers.empty() && cluster.layers.size() != cluster.nodes.size())
    throw RuntimeError(
        fmt::format("{}: \"layers\" has to be said for every node, or for none", name));
  if (!json.contains("place"))
    return cluster;
  const auto& place = json["place"];
  auto where = fmt::format("{}: \"place\"", name);
  check_keys(place, {"verifier", "draft", "pruner"}, where);
  for (const auto& [role, node] : place.items()) {
    if (!node.is_string())
      throw RuntimeError(fmt::format("{}: \"{}\" is no text", where, role));
    set_role(cluster.roles, role, node.get<std::string>(), where);
  }
  return cluster;
}

Cluster read_cluster(const std::filesystem::path& file) {
  return parse_cluster(read_file(file, "cluster file", most_settings), one_line(file.string()));
}

Cluster named_cluster(const std::string& file, const std::vector<std::string>& nodes,
                      const std::vector<std::string>& spares, const std::string& place) {
  auto cluster = file.empty() ? Cluster{} : read_cluster(file);
  for (const std::string& spare : spares)
    cluster.spares.push_back(parse_address(spare));
  for (const std::string& node : nodes)
    cluster.nodes.push_back(parse_address(node));
  if (!place.empty())
    cluster.roles = parse_roles(place);
  if (!cluster.roles.empty() && cluster.nodes.empty())
    throw RuntimeError(
        "--place says which node a part runs on, and there are no nodes: add --node");
  return cluster;
}

}  // namespace flowspec
