#include "actors/pipeline/pipeline.hpp"

#include <algorithm>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/pipeline/tree_pruner.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

Pipeline make_pipeline(caf::actor_system& system, const PipelineConfig& config,
                       const MakeStage& make_stage) {
  auto name = [&](std::uint32_t hop) {
    return hop == config.stages ? std::string("verifier") : fmt::format("stage {}", hop);
  };
  auto link = [&]<class Handle>(const std::string& from, const std::string& to, Handle target) {
    return config.link
               ? caf::actor_cast<Handle>(config.link(from, to, caf::actor_cast<caf::actor>(target)))
               : target;
  };
  Pipeline pipeline;
  pipeline.policy = config.policy;
  pipeline.pruner = spawn_tree_pruner(system, config.policy.direct_prunes);
  pipeline.draft =
      spawn_draft(system,
                  {config.policy, config.load_draft, link("draft", "pruner", pipeline.pruner),
                   config.probe, config.memory},
                  config.mode);
  auto peers = [&](std::uint32_t hop) {
    return StagePeers{
        {}, link(name(hop), "pruner", pipeline.pruner), link(name(hop), "draft", pipeline.draft)};
  };
  auto verifier_peers = peers(config.stages);
  pipeline.verifier =
      spawn_verifier(system,
                     {config.stages, config.max_rows, config.load_head, verifier_peers.pruner,
                      verifier_peers.draft, config.send_features, config.probe, config.hidden_type},
                     config.mode);
  auto next = pipeline.verifier;
  for (auto hop = config.stages; hop-- > 0;) {
    auto stage_peers = peers(hop);
    stage_peers.next = link(name(hop), name(hop + 1), next);
    try {
      pipeline.stages.push_back(make_stage(hop, stage_peers));
    } catch (...) {
      // Actors that another machine knows do not end by themselves.
      stop_pipeline(system, pipeline);
      throw;
    }
    next = pipeline.stages.back().stage;
  }
  std::reverse(pipeline.stages.begin(), pipeline.stages.end());

  std::vector<ControlActor> hops;
  for (std::uint32_t hop = 0; hop < config.stages; ++hop)
    hops.push_back(link("pruner", name(hop), pipeline.stages[hop].control));
  hops.push_back(link("pruner", name(config.stages), ControlActor{pipeline.verifier}));
  caf::anon_send(pipeline.pruner, bind_a_v, link("pruner", "draft", pipeline.draft), hops);
  caf::anon_send(pipeline.draft, bind_a_v, link("draft", name(0), next),
                 caf::actor_cast<caf::actor>(link("draft", "draft", pipeline.draft)));
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

}  // namespace flowspec
