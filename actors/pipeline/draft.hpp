#pragma once
/// The draft: grows every session's tree of guesses and sends its best nodes down the pipeline.
///
///               ┌──────────────────────── step ◄──────────────────────┐
///               ▼                                                     │
///   idle ──► one draft forward ── done ──► its guesses join the tree ─┴─ nothing to draft ──► idle
///
/// `step` and `done` are messages to itself, so that a prune that arrives in between is handled at
/// once. After any message a segment may leave: when there is credit, the first stage is ready and
/// the tree has rows to send.

#include <functional>
#include <memory>

#include <caf/expected.hpp>
#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"
#include "actors/policy/draft_memory.hpp"
#include "actors/policy/policy.hpp"
#include "actors/support/kv_pool.hpp"
#include "actors/support/spawn_mode.hpp"
#include "models/drafts/draft_model.hpp"

namespace flowspec {

class PipelineProbe;

/// Makes the draft model on the draft's own thread; a null pointer means that there is none.
using DraftLoader = std::function<caf::expected<std::unique_ptr<DraftModel>>()>;

struct DraftConfig {
  DraftPolicy policy;
  DraftLoader load;
  TreePrunerActor pruner;
  PipelineProbe* probe = nullptr;
  DraftMemory memory{};
  /// For the draft model's KV of all sessions together.
  KvBudget kv{};
};

DraftActor spawn_draft(caf::actor_system& system, DraftConfig config, SpawnMode mode);

}  // namespace flowspec
