#pragma once

#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <caf/node_id.hpp>

#include "actors/interfaces.hpp"
#include "messages/setup_types.hpp"
#include "runtime/cluster/address.hpp"

namespace flowspec {

/// A node of the cluster, and our agent on it.
struct RemoteNode {
  Address address;
  caf::node_id id;
  NodeInfo info;
  NodeAgentActor agent;

  /// For messages: "name (host:port)".
  std::string label() const;
};

/// What a node says about itself. Throws RuntimeError where it speaks another protocol.
NodeInfo node_info(const NodeInfoMessage& message);

/// Connects to the nodes and makes an agent on each, which ends with `owner`. Throws RuntimeError,
/// which names the node, if a node cannot be reached, speaks another protocol or is listed twice.
std::vector<RemoteNode> join_nodes(caf::actor_system& system, const std::vector<Address>& addresses,
                                   const caf::actor& owner);

/// Lets node `a` connect to node `b`, so that messages between their stages do not pass through
/// this process. Throws RuntimeError.
void connect_nodes(caf::actor_system& system, const RemoteNode& a, const RemoteNode& b);

}  // namespace flowspec
