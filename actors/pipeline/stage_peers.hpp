#pragma once

#include "actors/interfaces.hpp"

namespace flowspec {

/// What a stage is connected to.
struct StagePeers {
  /// The next stage, or the verifier.
  PipelineActor next;
  TreePrunerActor pruner;
  /// Receives Ready from stage 0, and Features from stages with taps.
  DraftActor draft;
};

}  // namespace flowspec
