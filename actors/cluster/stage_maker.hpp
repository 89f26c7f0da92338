#pragma once
/// Makes the stages of one node agent. Runs on a thread of its own, since it searches folders and
/// reads file headers, which must not block a pooled actor.

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <caf/actor_addr.hpp>
#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"

namespace flowspec {

class Node;

using StageMakerActor = caf::typed_actor<
    // Make a stage, as the agent was asked to.
    replies_to<spawn_st_a, StageSpecMessage, caf::node_id, PipelineActor, TreePrunerActor,
               DraftActor>::with<PipelineActor, ControlActor>>;

/// The stages of an agent. All functions are thread-safe.
class StageList {
 public:
  /// False if the agent has ended: then the caller has to end the stage.
  /// @param most_segment_bytes  of the segments that come to it.
  bool add(const PipelineActor& stage, std::size_t most_segment_bytes);
  /// Nothing for a stage that is not in the list.
  std::optional<std::size_t> most_segment_bytes(const PipelineActor& stage) const;
  void remove(const caf::actor_addr& stage);
  std::size_t size() const;
  /// Ends all stages, and gives up those that are still being made.
  void close();
  /// Set when nobody wants the stages any more.
  std::shared_ptr<const std::atomic<bool>> closed() const { return closed_; }

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<PipelineActor, std::size_t>> stages_;
  std::shared_ptr<std::atomic<bool>> closed_ = std::make_shared<std::atomic<bool>>(false);
};

/// Errors name the node.
StageMakerActor spawn_stage_maker(caf::actor_system& system, std::shared_ptr<Node> node,
                                  std::shared_ptr<StageList> stages);

}  // namespace flowspec
