#include "runtime/cluster/nodes.hpp"

#include <array>

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <fmt/format.h>

#include "actors/cluster/dialer.hpp"
#include "actors/cluster/node_agent.hpp"
#include "actors/cluster/wire/transport_module.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/type_ids.hpp"
#include "runtime/cluster/ask.hpp"
#include "runtime/console/one_line.hpp"

namespace flowspec {

namespace {

constexpr std::chrono::seconds answer_limit{10};
constexpr std::array<std::chrono::seconds, 3> spawn_limits{std::chrono::seconds(2),
                                                           std::chrono::seconds(3), answer_limit};
/// Above `dial_limit`, so that the dialer's own error comes first.
constexpr std::chrono::seconds connect_limit = dial_limit + std::chrono::seconds(5);

NodeAgentActor spawn_agent(caf::actor_system& system, const RemoteNode& node,
                           const caf::actor& owner) {
  // CAF may lose a request, or its answer. An agent too many ends with its owner.
  caf::error error;
  for (auto limit : spawn_limits) {
    auto agent = system.middleman().remote_spawn<NodeAgentActor>(
        node.id, node_agent_name, caf::make_message(owner), caf::duration{limit});
    if (agent)
      return *agent;
    error = agent.error();
    if (error != caf::sec::request_timeout)
      break;
  }
  auto loss = loss_of(system, node.id);
  throw RuntimeError(error_code(error),
                     fmt::format("node {} makes no agent: {}", node.address.text(),
                                 loss.empty() ? error_text(error) : loss));
}

NodeInfo greet(caf::scoped_actor& self, const RemoteNode& node) {
  try {
    return node_info(ask<NodeInfoMessage>(self, node.agent, answer_limit, hello_a_v));
  } catch (const RuntimeError& e) {
    throw RuntimeError(e.code(), fmt::format("node {}: {}", node.address.text(), e.what()));
  }
}

}  // namespace

NodeInfo node_info(const NodeInfoMessage& message) {
  auto info = message.read();
  if (!info)
    throw RuntimeError(ErrorCode::protocol, error_text(info.error()));
  if (info->protocol != protocol_version)
    throw RuntimeError(ErrorCode::protocol,
                       fmt::format("it speaks protocol version {}, this program {}", info->protocol,
                                   protocol_version));
  // The name will be shown on terminals.
  info->name = one_line(info->name);
  return *info;
}

std::string RemoteNode::label() const {
  return fmt::format("{} ({})", info.name, address.text());
}

std::vector<RemoteNode> join_nodes(caf::actor_system& system, const std::vector<Address>& addresses,
                                   const caf::actor& owner) {
  caf::scoped_actor self(system);
  auto dialer = spawn_dialer(system);
  auto end_dialer = caf::detail::make_scope_guard([&] { end_actor(dialer); });
  std::vector<RemoteNode> nodes;
  for (const Address& address : addresses) {
    RemoteNode node{address, {}, {}, {}};
    node.id =
        ask<caf::node_id>(self, dialer, connect_limit, connect_a_v, address.host, address.port);
    for (const RemoteNode& other : nodes)
      if (other.id == node.id)
        throw RuntimeError(
            fmt::format("{} and {} are the same node", other.address.text(), address.text()));
    node.agent = spawn_agent(system, node, owner);
    node.info = greet(self, node);
    nodes.push_back(std::move(node));
  }
  return nodes;
}

void connect_nodes(caf::actor_system& system, const RemoteNode& a, const RemoteNode& b) {
  caf::scoped_actor self(system);
  try {
    auto id = ask<caf::node_id>(self, a.agent, connect_limit, connect_a_v, b.address.host,
                                b.address.port);
    if (id != b.id)
      throw RuntimeError(ErrorCode::protocol, "that is another node there than from here");
  } catch (const RuntimeError& e) {
    throw RuntimeError(e.code(), fmt::format("node {} cannot talk to node {}: {}", a.label(),
                                             b.label(), e.what()));
  }
}

}  // namespace flowspec
