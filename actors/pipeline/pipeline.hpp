#pragma once
/// Wires the actors of one pipeline, wherever the caller places them.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"
#include "actors/pipeline/draft.hpp"
#include "actors/pipeline/stage.hpp"
#include "actors/pipeline/verifier.hpp"
#include "actors/pipeline/wiring.hpp"
#include "actors/policy/policy.hpp"
#include "actors/support/spawn_mode.hpp"
#include "models/base/types.hpp"

namespace flowspec {

/// A stage and the handle for messages that overtake segments: the same actor, unless an emulated
/// device stands before it.
struct StageHandle {
  PipelineActor stage;
  ControlActor control;
};

/// Makes stage `index`. Throws std::runtime_error where it can't.
using MakeStage = std::function<StageHandle(std::uint32_t index, const StagePeers& peers)>;
/// Makes a part that is not in this process; null if it is. Throws std::runtime_error where it can't.
using MakePart =
    std::function<caf::actor(Part part, const TreePrunerActor& pruner, const DraftActor& draft)>;

/// Puts an actor between a sender and a receiver, for tests and emulated links. `to` and `from` are
/// "draft", "pruner", "verifier" or "stage 0", "stage 1", ...; the draft also sends to itself, to
/// begin and to end a draft forward. Returns the handle that the sender has to use; its actor has
/// to pass everything on in order.
using LinkMaker =
    std::function<caf::actor(const std::string& from, const std::string& to, caf::actor target)>;

struct PipelineConfig {
  std::uint32_t stages = 1;
  DraftPolicy policy;
  DraftLoader load_draft;
  LmHeadLoader load_head;
  std::uint32_t max_rows = 64;
  /// The draft model reads the target's last hidden states, which the verifier sends. What it reads
  /// of other layers is sent by stages (StageConfig::taps).
  bool send_features = false;
  SpawnMode mode = SpawnMode::detached;
  /// Empty: senders and receivers are connected directly.
  LinkMaker link;
  PipelineProbe* probe = nullptr;
  DraftMemory memory{};
  /// For the draft model's KV of all sessions together.
  KvBudget draft_kv{};
  /// How the last stage sends hidden states to the verifier.
  HiddenType hidden_type = HiddenType::f32;
  /// Empty: verifier, draft and tree pruner are in this process.
  MakePart make_part;
};

struct Pipeline {
  DraftPolicy policy;
  TreePrunerActor pruner;
  DraftActor draft;
  PipelineActor verifier;
  /// In pipeline order.
  std::vector<StageHandle> stages;

  Wiring wiring() const { return Wiring(stages.size()); }
  /// By its number, see wiring.hpp.
  caf::actor part(std::uint32_t number) const;
  /// Of the verifier, the draft, or the tree pruner.
  void set(Part part, const caf::actor& handle);
};

/// Makes the actors from the last stage to the first and connects them. Nothing is loaded yet:
/// draft, stages and verifier each have to answer `load_a` before the first session.
Pipeline make_pipeline(caf::actor_system& system, const PipelineConfig& config,
                       const MakeStage& make_stage);

/// Tells draft and pruner whom they send to.
/// @param link  as in PipelineConfig.
void bind_pipeline(const Pipeline& pipeline, const LinkMaker& link);

/// `target`, or what stands before it.
template <class Handle>
Handle linked(const LinkMaker& link, const std::string& from, const std::string& to,
              const Handle& target) {
  return link ? caf::actor_cast<Handle>(link(from, to, caf::actor_cast<caf::actor>(target)))
              : target;
}
/// What a stage, or the verifier, is to send to.
StagePeers peers_of(const Pipeline& pipeline, std::uint32_t hop, const LinkMaker& link);

/// Asks every actor that runs here to end. Remote stages end with their node agent.
void stop_pipeline(caf::actor_system& system, const Pipeline& pipeline);

}  // namespace flowspec
