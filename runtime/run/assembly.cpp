#include "runtime/run/assembly.hpp"

#include <limits>

namespace flowspec {

PipelineConfig pipeline_config(const Assembly& assembly, std::size_t stages) {
  const auto& [engine, policy, bar, threads, form, mode, memory, draft_memory] = assembly;
  PipelineConfig config;
  config.stages = static_cast<std::uint32_t>(stages);
  config.policy = policy;
  config.max_rows = policy.segment_rows;
  config.send_features = engine.draft_reads_features() && engine.draft_taps().empty();
  config.load_draft = engine.draft_loader(engine.threads(1), draft_rows, bar, form, memory);
  config.load_head = engine.head_loader(threads, policy.segment_rows, form);
  config.mode = mode;
  config.memory = draft_memory;
  config.hidden_type = engine.hidden_type();
  return config;
}

StageConfig stage_config(const Assembly& assembly, std::uint32_t index, LayerRange layers,
                         const StagePeers& peers) {
  const auto& [engine, policy, bar, threads, form, mode, memory, draft_memory] = assembly;
  StageConfig config;
  config.stage = index;
  config.vocab_size = engine.target().config.vocab_size;
  config.taps = engine.draft_taps();
  config.load = engine.stage_loader(layers, threads, policy.segment_rows, bar);
  // All its sessions belong to this program: memory is the only limit.
  config.kv_limit = std::numeric_limits<std::uint64_t>::max();
  config.memory = memory;
  config.peers = peers;
  return config;
}

}  // namespace flowspec
