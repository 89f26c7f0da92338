#pragma once
/// A stage: some of the model's layers, and their KV for every session.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <caf/expected.hpp>
#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"
#include "actors/pipeline/stage_peers.hpp"
#include "actors/support/kv_pool.hpp"
#include "actors/support/spawn_mode.hpp"
#include "models/layers/stage_model.hpp"

namespace flowspec {

class PipelineProbe;

/// Makes the stage's layers, on the stage's own thread.
using StageLoader = std::function<caf::expected<std::unique_ptr<StageModel>>()>;

struct StageConfig {
  /// Position in the pipeline; stage 0 takes tokens.
  std::uint32_t stage = 0;
  std::uint32_t vocab_size = 0;
  /// The layers whose inputs the draft reads, of the whole model, rising: see StageSpec.
  std::vector<std::uint32_t> taps = {};
  /// For the KV of all sessions together.
  KvBudget kv = {};
  /// See StageSpec.
  bool keeps_output = false;
  /// Kept, with all that it owns, as long as the stage lives.
  StageLoader load;
  StagePeers peers;
  PipelineProbe* probe = nullptr;
};

/// Before the answer to `load_a` the stage refuses every session.
PipelineActor spawn_stage(caf::actor_system& system, StageConfig config, SpawnMode mode);

}  // namespace flowspec
