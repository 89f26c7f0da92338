#include "actors/pipeline.hpp"

#include <algorithm>

#include <caf/all.hpp>

#include "actors/tree_pruner.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

Pipeline make_pipeline(caf::actor_system& system, const PipelineConfig& config,
                       const StageMaker& make_stage) {
  Pipeline pipeline;
  pipeline.pruner = spawn_tree_pruner(system);
  pipeline.draft =
      spawn_draft(system, {config.policy, config.load_draft, pipeline.pruner}, config.mode);
  pipeline.verifier = spawn_verifier(system,
                                     {config.stages, config.max_rows, config.load_head,
                                      pipeline.pruner, pipeline.draft, false},
                                     config.mode);
  auto next = pipeline.verifier;
  for (auto index = config.stages; index > 0; --index) {
    auto handle = make_stage(index - 1, {next, pipeline.pruner, pipeline.draft});
    next = handle.stage;
    pipeline.stages.push_back(std::move(handle));
  }
  std::reverse(pipeline.stages.begin(), pipeline.stages.end());

  std::vector<ControlActor> hops;
  for (const StageHandle& handle : pipeline.stages)
    hops.push_back(handle.control);
  hops.emplace_back(pipeline.verifier);
  caf::anon_send(pipeline.pruner, bind_a_v, pipeline.draft, hops);
  caf::anon_send(pipeline.draft, bind_a_v, next);
  return pipeline;
}

void stop_pipeline(caf::actor_system& system, const Pipeline& pipeline) {
  auto stop = [&](const auto& handle) {
    auto address = caf::actor_cast<caf::strong_actor_ptr>(handle);
    if (address && address->node() == system.node())
      // Exit messages queue behind all others unless they are urgent.
      caf::anon_send<caf::message_priority::high>(
          caf::actor_cast<caf::actor>(address),
          caf::exit_msg{caf::actor_addr{}, caf::exit_reason::user_shutdown});
  };
  for (const StageHandle& handle : pipeline.stages)
    stop(handle.stage);
  stop(pipeline.verifier);
  stop(pipeline.draft);
  stop(pipeline.pruner);
}

std::uint32_t session_slots(const DraftPolicy& policy, std::uint32_t position_limit) {
  return position_limit + policy.max_sent + policy.window * policy.segment_rows;
}

}  // namespace flowspec
