#pragma once
/// The verifier: the end of the pipeline, where the target model says which token follows each row.

#include <functional>
#include <memory>

#include <caf/expected.hpp>
#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"
#include "actors/support/spawn_mode.hpp"
#include "models/base/types.hpp"
#include "models/layers/lm_head.hpp"

namespace flowspec {

class PipelineProbe;

using LmHeadLoader = std::function<caf::expected<std::unique_ptr<LmHead>>()>;

struct VerifierConfig {
  /// Its number in the pipeline: the number of stages.
  std::uint32_t stage = 0;
  std::uint32_t max_rows = 64;
  LmHeadLoader load;
  TreePrunerActor pruner;
  DraftActor draft;
  /// The draft model reads the target's hidden states.
  bool send_features = false;
  PipelineProbe* probe = nullptr;
  /// How hidden states come from the last stage.
  HiddenType hidden_type = HiddenType::f32;
};

PipelineActor spawn_verifier(caf::actor_system& system, VerifierConfig config, SpawnMode mode);

}  // namespace flowspec
