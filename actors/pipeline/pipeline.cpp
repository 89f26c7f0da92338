#include "actors/pipeline/pipeline.hpp"

#include <caf/all.hpp>

#include "actors/pipeline/tree_pruner.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

caf::actor Pipeline::part(std::uint32_t number) const {
  auto all = wiring();
  if (number < all.stages())
    return caf::actor_cast<caf::actor>(stages[number].stage);
  if (number == all.verifier())
    return caf::actor_cast<caf::actor>(verifier);
  return number == all.draft() ? caf::actor_cast<caf::actor>(draft)
                               : caf::actor_cast<caf::actor>(pruner);
}

void Pipeline::set(Part part, const caf::actor& handle) {
  switch (part) {
    case Part::verifier:
      verifier = caf::actor_cast<PipelineActor>(handle);
      break;
    case Part::draft:
      draft = caf::actor_cast<DraftActor>(handle);
      break;
    case Part::pruner:
      pruner = caf::actor_cast<TreePrunerActor>(handle);
      break;
  }
}

StagePeers peers_of(const Pipeline& pipeline, std::uint32_t hop, const LinkMaker& link) {
  auto all = pipeline.wiring();
  auto name = all.name(hop);
  StagePeers peers;
  if (hop < all.stages())
    peers.next = linked(link, name, all.name(hop + 1),
                        caf::actor_cast<PipelineActor>(pipeline.part(hop + 1)));
  peers.pruner = linked(link, name, "pruner", pipeline.pruner);
  peers.draft = linked(link, name, "draft", pipeline.draft);
  return peers;
}

Pipeline make_pipeline(caf::actor_system& system, const PipelineConfig& config,
                       const MakeStage& make_stage) {
  Pipeline pipeline;
  pipeline.policy = config.policy;
  pipeline.stages.resize(config.stages);
  auto make_part = [&](Part part) {
    auto made =
        config.make_part ? config.make_part(part, pipeline.pruner, pipeline.draft) : nullptr;
    if (made)
      pipeline.set(part, made);
    return made != nullptr;
  };
  try {
    if (!make_part(Part::pruner))
      pipeline.pruner = spawn_tree_pruner(system, config.policy.direct_prunes);
    if (!make_part(Part::draft))
      pipeline.draft = spawn_draft(system,
                                   {config.policy, config.load_draft,
                                    linked(config.link, "draft", "pruner", pipeline.pruner),
                                    config.probe, config.memory, config.draft_kv},
                                   config.mode);
    if (!make_part(Part::verifier)) {
      auto peers = peers_of(pipeline, config.stages, config.link);
      pipeline.verifier =
          spawn_verifier(system,
                         {config.stages, config.max_rows, config.load_head, peers.pruner,
                          peers.draft, config.send_features, config.probe, config.hidden_type},
                         config.mode);
    }
    for (auto hop = config.stages; hop-- > 0;)
      pipeline.stages[hop] = make_stage(hop, peers_of(pipeline, hop, config.link));
  } catch (...) {
    // Actors that another machine knows do not end by themselves.
    stop_pipeline(system, pipeline);
    throw;
  }
  bind_pipeline(pipeline, config.link);
  caf::anon_send(
      pipeline.draft, bind_a_v,
      linked(config.link, "draft", "stage 0", pipeline.stages.front().stage),
      caf::actor_cast<caf::actor>(linked(config.link, "draft", "draft", pipeline.draft)));
  return pipeline;
}

void bind_pipeline(const Pipeline& pipeline, const LinkMaker& link) {
  auto all = pipeline.wiring();
  std::vector<ControlActor> hops;
  for (std::uint32_t hop = 0; hop < all.stages(); ++hop)
    hops.push_back(linked(link, "pruner", all.name(hop), pipeline.stages[hop].control));
  hops.push_back(linked(link, "pruner", "verifier", ControlActor{pipeline.verifier}));
  caf::anon_send(pipeline.pruner, bind_a_v, linked(link, "pruner", "draft", pipeline.draft), hops);
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
