#include "actors/emulation/home.hpp"
#include "actors/pipeline/tree_pruner.hpp"
#include "tests/support/world_system.hpp"

namespace flowspec::test {

namespace {

/// As `make_pipeline` does.
caf::actor make_part(caf::actor_system& system, const PipelineConfig& config, const PartSpec& spec,
                     const TreePrunerActor& pruner, const DraftActor& draft) {
  switch (spec.part) {
    case Part::verifier:
      return caf::actor_cast<caf::actor>(
          spawn_verifier(system,
                         {config.stages, config.max_rows, config.load_head, pruner, draft,
                          config.send_features, config.probe, config.hidden_type},
                         config.mode));
    case Part::draft:
      return caf::actor_cast<caf::actor>(spawn_draft(
          system, {config.policy, config.load_draft, pruner, config.probe, config.memory},
          config.mode));
    case Part::pruner:
      break;
  }
  return caf::actor_cast<caf::actor>(spawn_tree_pruner(system, config.policy.direct_prunes));
}

}  // namespace

/// The agents, the coordinator, and what it has to know to make stages again.
void PipelineWorld::make_homes() {
  System& world = *system_;
  CoordinatorConfig config;
  config.link = world.link;
  world.coordinator = spawn_coordinator(world.system, config);
  for (std::uint32_t home = 0; home < options_.homes; ++home) {
    auto make_stage = [this, &world, home](const StageSpec& spec, const StagePeers& peers) {
      auto stage = stage_of(world.file, world.model, spec.stage, {spec.first_layer, spec.end_layer},
                            spec.max_rows);
      stage.peers = peers;
      stage.probe = this;
      stage.taps = spec.taps;
      stage.keeps_output = spec.keeps_output;
      stage.kv.slots = spec.kv_slots;
      auto actor = spawn_stage(world.system, std::move(stage), SpawnMode::pooled);
      world.homes[home].parts.push_back(caf::actor_cast<caf::actor>(actor));
      world.stages[spec.stage] = actor;
      return StageHandle{actor, actor};
    };
    auto make_other = [&world, home](const PartSpec& spec, const TreePrunerActor& pruner,
                                     const DraftActor& draft) {
      auto actor = make_part(world.system, world.pipeline_config, spec, pruner, draft);
      world.homes[home].parts.push_back(actor);
      return actor;
    };
    auto agent = spawn_home(world.system, {make_stage, make_other});
    world.homes.push_back({agent, {}});
    caf::anon_send(world.coordinator, hello_a_v,
                   Peer{agent, fmt::format("home {}", home), "host", 1});
  }
  Placement placement;
  for (std::uint32_t i = 0; i < options_.stages; ++i) {
    StageSpec spec;
    spec.stage = i;
    spec.model_file = "story.gguf";
    auto layers = share_of(world.model, i, options_.stages);
    spec.first_layer = layers.first;
    spec.end_layer = layers.end;
    spec.max_rows = options_.policy.segment_rows;
    spec.taps = options_.taps;
    spec.keeps_output = options_.keeps_output && i + 1 < options_.stages;
    spec.kv_slots = options_.kv_slots;
    placement.specs.push_back(spec);
    auto home = i % options_.homes;
    placement.homes.push_back(world.homes[home].agent);
    world.homes[home].parts.push_back(caf::actor_cast<caf::actor>(world.pipeline.stages[i].stage));
    world.stages[i] = world.pipeline.stages[i].stage;
  }
  for (std::size_t i = 0; i < options_.part_homes.size(); ++i) {
    placement.parts.at(i).part = static_cast<Part>(i);
    placement.parts.at(i).stages = options_.stages;
    auto home = options_.part_homes.at(i);
    placement.homes.push_back(home ? world.homes[*home].agent : NodeAgentActor{});
    if (home)
      world.homes[*home].parts.push_back(
          world.pipeline.part(options_.stages + static_cast<std::uint32_t>(i)));
  }
  caf::anon_send(world.coordinator, bind_a_v, world.pipeline, placement);
  auto loaded = world.self->request(world.coordinator, caf::infinite, load_a_v);
  world.run_all();
  loaded.receive([](const std::vector<StageStatsMessage>&) {},
                 [](const caf::error& e) { throw std::runtime_error(caf::to_string(e)); });
}

void PipelineWorld::lose_home(std::uint32_t home) {
  auto& lost = system_->homes.at(home);
  for (const caf::actor& part : lost.parts)
    caf::anon_send_exit(part, caf::exit_reason::kill);
  // What is no more takes no memory.
  for (const auto& [stage, actor] : system_->stages)
    if (std::ranges::find(lost.parts, caf::actor_cast<caf::actor>(actor)) != lost.parts.end())
      hops_.erase(stage);
  if (options_.part_homes[0] == home)
    hops_.erase(options_.stages);
  caf::anon_send_exit(lost.agent, caf::exit_reason::remote_link_unreachable);
}

void PipelineWorld::lose_stage(std::uint32_t stage) {
  caf::anon_send_exit(system_->stages.at(stage), caf::exit_reason::kill);
  give_up_stage(stage);
}

void PipelineWorld::give_up_stage(std::uint32_t stage) {
  System& world = *system_;
  auto lost = caf::actor_cast<caf::actor>(world.stages.at(stage));
  for (const System::Home& home : world.homes)
    if (std::ranges::find(home.parts, lost) != home.parts.end())
      caf::actor_cast<caf::actor>(world.coordinator)
          ->enqueue(caf::actor_cast<caf::strong_actor_ptr>(home.agent), caf::make_message_id(),
                    caf::make_message(FaultMessage{{no_session, 0, stage, "it was lost"}}),
                    nullptr);
}

void PipelineWorld::cut(std::uint32_t part, std::uint32_t receiver) {
  System& world = *system_;
  auto agent = world.homes.at(part % options_.homes).agent;
  caf::actor_cast<caf::actor>(world.coordinator)
      ->enqueue(
          caf::actor_cast<caf::strong_actor_ptr>(agent), caf::make_message_id(),
          caf::make_message(FaultMessage{{no_session, 0, part, "it was cut", true, receiver}}),
          nullptr);
}

std::size_t PipelineWorld::rows_computed(std::uint32_t stage) const {
  return hop(stage).stats.rows_computed;
}

const std::vector<Token>& PipelineWorld::expected_of(SessionId session) const {
  return options_.homes > 0 ? expected_.begin()->second : expected_.at(session);
}

}  // namespace flowspec::test
