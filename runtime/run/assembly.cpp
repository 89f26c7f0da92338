#include "runtime/run/assembly.hpp"

#include <limits>

namespace flowspec {

/// All sessions belong to this program: memory is the only limit.
KvBudget Assembly::kv() const {
  return {kv_slots, std::numeric_limits<std::uint64_t>::max(), memory, pools};
}

PipelineConfig pipeline_config(const Assembly& assembly, std::size_t stages) {
  const Engine& engine = assembly.engine;
  const DraftPolicy& policy = assembly.policy;
  PipelineConfig config;
  config.stages = static_cast<std::uint32_t>(stages);
  config.policy = policy;
  config.max_rows = policy.segment_rows;
  config.send_features = engine.draft_reads_features() && engine.draft_taps().empty();
  config.load_draft =
      engine.draft_loader(engine.threads(), draft_rows, assembly.bar, assembly.form);
  config.draft_kv = assembly.kv();
  config.load_head = engine.head_loader(assembly.threads, policy.segment_rows, assembly.form);
  config.mode = assembly.mode;
  config.memory = assembly.draft_memory;
  config.hidden_type = engine.hidden_type();
  return config;
}

StageConfig stage_config(const Assembly& assembly, std::uint32_t index, LayerRange layers,
                         const StagePeers& peers) {
  const Engine& engine = assembly.engine;
  StageConfig config;
  config.stage = index;
  config.vocab_size = engine.target().config.vocab_size;
  config.taps = engine.draft_taps();
  config.load = engine.stage_loader(layers, assembly.threads, assembly.policy.segment_rows,
                                    assembly.bar, assembly.form);
  config.kv = assembly.kv();
  config.peers = peers;
  return config;
}

}  // namespace flowspec
