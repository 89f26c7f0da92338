#pragma once
/// Nodes that were lost come back as spares, at the same address, as the same process or another.

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include <caf/fwd.hpp>

#include "actors/cluster/coordinator.hpp"
#include "actors/cluster/dialer.hpp"

namespace flowspec {

/// Part of the coordinator; asks nodes that are missing, one after the other, as often as `tick` is called.
class Rejoining {
 public:
  /// @param joined  called with the node and its new agent.
  Rejoining(CoordinatorActor::pointer self, std::function<void(const Peer&)> joined)
      : self_(self), joined_(std::move(joined)) {}
  ~Rejoining();
  Rejoining(const Rejoining&) = delete;
  Rejoining& operator=(const Rejoining&) = delete;

  /// How often nodes are asked.
  static constexpr std::chrono::milliseconds interval{1000};

  void await(const Peer& lost);
  bool is_waiting() const { return !missing_.empty(); }
  void tick();

 private:
  struct Missing {
    Peer peer;
    /// It is being asked.
    bool is_asked = false;
  };

  void ask(const std::string& name, Missing& missing);
  void spawn_agent(const std::string& name, const caf::node_id& node);
  void greet(const std::string& name, const NodeAgentActor& agent);
  void not_yet(const std::string& name);

  CoordinatorActor::pointer self_;
  std::function<void(const Peer&)> joined_;
  DialerActor dialer_;
  std::map<std::string, Missing> missing_;
};

}  // namespace flowspec
