#pragma once
/// What all agents of a node share: its model files and the list of what runs on it.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <caf/actor_addr.hpp>
#include <caf/fwd.hpp>

#include "actors/cluster/head_store.hpp"
#include "actors/cluster/layer_speed.hpp"
#include "actors/cluster/model_library.hpp"
#include "actors/cluster/node_options.hpp"
#include "actors/cluster/shard_store.hpp"
#include "actors/interfaces.hpp"
#include "actors/support/allowance.hpp"
#include "actors/support/memory_ledger.hpp"
#include "messages/setup_types.hpp"

namespace flowspec {

/// All functions are thread-safe.
class Node : public std::enable_shared_from_this<Node> {
 public:
  explicit Node(NodeOptions options);

  const NodeOptions& options() const { return options_; }
  const ModelLibrary& library() const { return library_; }
  /// The memory ledger of all stages together.
  const MemoryLedger& memory() const { return memory_; }
  /// The weights of all stages together.
  ShardStore& shards() { return shards_; }
  /// How fast this machine computes layers, by model.
  SpeedBook& speeds() { return speeds_; }
  /// The LM heads of all verifiers and drafts together.
  HeadStore& heads() { return heads_; }
  NodeInfo info() const;
  /// Of so many that were asked for.
  unsigned threads(std::uint32_t asked) const {
    return std::max(std::min(asked, options_.threads), 1U);
  }
  /// The best numerics that this node can compute with.
  const std::string& numerics() const { return numerics_; }

  /// Adds an agent to the list until it ends; false if there are too many, or the node is closed.
  bool add_agent(const caf::strong_actor_ptr& agent);

  /// Runs `make` and keeps the stage in the list until it ends; nothing if there are too many.
  std::optional<PipelineActor> add_stage(const std::function<PipelineActor()>& make);
  std::vector<PipelineActor> stages() const;

  /// Whether a peer that had this node dial another hears why that failed: not always, since it might
  /// look round a network that it does not reach itself.
  bool tells_of_failed_dial();

  /// Ends all agents, and with them their stages, and accepts no more.
  void close();
  bool closed() const { return closed_; }

 private:
  /// Asking for a node's status makes an agent too, so there may be more agents than stages.
  static constexpr std::size_t max_agents = 64;
  static constexpr int failed_dials_per_minute = 16;

  const NodeOptions options_;
  const std::string numerics_;
  ModelLibrary library_;
  const MemoryLedger memory_;
  ShardStore shards_;
  HeadStore heads_;
  SpeedBook speeds_;
  std::atomic<bool> closed_ = false;
  mutable std::mutex mutex_;
  std::map<std::uint64_t, caf::actor_addr> agents_;
  std::map<std::uint64_t, PipelineActor> stages_;
  Allowance failed_dials_{failed_dials_per_minute, std::chrono::minutes(1)};
};

}  // namespace flowspec
