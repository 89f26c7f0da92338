#pragma once
/// Wires the actors of one pipeline: pruner, draft and verifier in this process, stages wherever
/// the caller places them.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"
#include "actors/pipeline/draft.hpp"
#include "actors/pipeline/stage.hpp"
#include "actors/pipeline/verifier.hpp"
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
  /// How the last stage sends hidden states to the verifier.
  HiddenType hidden_type = HiddenType::f32;
};

struct Pipeline {
  DraftPolicy policy;
  TreePrunerActor pruner;
  DraftActor draft;
  PipelineActor verifier;
  /// In pipeline order.
  std::vector<StageHandle> stages;
};

/// Makes the actors from the last stage to the first and connects them. Nothing is loaded yet:
/// draft, stages and verifier each have to answer `load_a` before the first session.
Pipeline make_pipeline(caf::actor_system& system, const PipelineConfig& config,
                       const MakeStage& make_stage);

/// Asks every actor that runs here to end. Remote stages end with their node agent.
void stop_pipeline(caf::actor_system& system, const Pipeline& pipeline);

}  // namespace flowspec
