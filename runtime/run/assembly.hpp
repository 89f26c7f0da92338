#pragma once
/// How a run configures the actors of its pipeline: the same under the real clock and in virtual
/// time.

#include <cstdint>
#include <optional>

#include "actors/pipeline/pipeline.hpp"
#include "runtime/cluster/placement.hpp"
#include "runtime/run/engine.hpp"

namespace flowspec {

/// Rows of one draft forward; the draft reads a prompt in parts of this size.
inline constexpr std::uint32_t draft_rows = 64;

/// What the parts of a pipeline that run in this process share.
struct Assembly {
  const Engine& engine;
  const DraftPolicy& policy;
  /// Has to outlive the loading.
  ProgressBar& bar;
  /// Threads of each stage and of the verifier.
  unsigned threads = 1;
  LinearForm form = LinearForm::automatic;
  SpawnMode mode = SpawnMode::detached;
  /// Where sessions reserve their KV; empty: no reservation.
  std::optional<MemoryLedger> memory = {};
  DraftMemory draft_memory = {};
  /// KV slots that are wanted for all sessions together; 0: as many as there is memory for.
  std::uint32_t kv_slots = 0;
  /// Stages and drafts of this process, which share its memory.
  std::uint32_t pools = 1;

  KvBudget kv() const;
};

/// The configuration of draft and verifier, and of what stages have in common; links are left to
/// the caller.
PipelineConfig pipeline_config(const Assembly& assembly, std::size_t stages);

/// The configuration of stage `index` in this process.
StageConfig stage_config(const Assembly& assembly, std::uint32_t index, LayerRange layers,
                         const StagePeers& peers);

}  // namespace flowspec
