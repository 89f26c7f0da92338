#pragma once
/// Makes the stages, and other parts, of one node agent. Runs on a thread of its own, since it searches folders and
/// reads file headers, which must not block a pooled actor.

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_addr.hpp>
#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"

namespace flowspec {

class Node;

using PartMakerActor = caf::typed_actor<
    // As NodeAgentActor is asked to.
    replies_to<spawn_st_a, StageSpecMessage, PipelineActor, TreePrunerActor,
               DraftActor>::with<PipelineActor, ControlActor>,
    replies_to<spawn_pt_a, PartSpecMessage, TreePrunerActor, DraftActor>::with<caf::actor>>;

/// The parts of pipelines that an agent has. All functions are thread-safe.
class PartList {
 public:
  /// False if the agent has ended: then the caller has to end the part.
  /// @param most_data_bytes  of the frames that come to it.
  bool add(const caf::actor& part, std::size_t most_data_bytes);
  /// Nothing for a part that is not in the list.
  std::optional<std::size_t> most_data_bytes(const caf::actor& part) const;
  void remove(const caf::actor_addr& part);
  std::size_t size() const;
  /// Ends all parts, and gives up those that are still being made.
  void close();
  /// Set when nobody wants the parts any more.
  std::shared_ptr<const std::atomic<bool>> closed() const { return closed_; }

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<caf::actor, std::size_t>> parts_;
  std::shared_ptr<std::atomic<bool>> closed_ = std::make_shared<std::atomic<bool>>(false);
};

/// Errors name the node.
PartMakerActor spawn_part_maker(caf::actor_system& system, std::shared_ptr<Node> node,
                                std::shared_ptr<PartList> parts);

}  // namespace flowspec
