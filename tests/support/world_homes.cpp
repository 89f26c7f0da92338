#include "actors/emulation/home.hpp"
#include "tests/support/world_system.hpp"

namespace flowspec::test {

/// The agents, the coordinator, and what it has to know to make stages again.
void PipelineWorld::make_homes() {
  System& world = *system_;
  CoordinatorConfig config;
  config.link = world.link;
  world.coordinator = spawn_coordinator(world.system, config);
  for (std::uint32_t home = 0; home < options_.homes; ++home) {
    auto make = [this, &world, home](const StageSpec& spec, const StagePeers& peers) {
      auto stage = stage_of(world.file, world.model, spec.stage, {spec.first_layer, spec.end_layer},
                            spec.max_rows);
      stage.peers = peers;
      stage.probe = this;
      stage.taps = spec.taps;
      stage.keeps_output = spec.keeps_output;
      auto actor = spawn_stage(world.system, std::move(stage), SpawnMode::pooled);
      world.homes[home].stages.push_back(actor);
      world.stages[spec.stage] = actor;
      return StageHandle{actor, actor};
    };
    auto agent = spawn_home(world.system, make);
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
    placement.specs.push_back(spec);
    auto home = i % options_.homes;
    placement.homes.push_back(world.homes[home].agent);
    world.homes[home].stages.push_back(world.pipeline.stages[i].stage);
    world.stages[i] = world.pipeline.stages[i].stage;
  }
  caf::anon_send(world.coordinator, bind_a_v, world.pipeline, placement);
  auto loaded = world.self->request(world.coordinator, caf::infinite, load_a_v);
  world.run_all();
  loaded.receive([](const std::vector<StageStatsMessage>&) {},
                 [](const caf::error& e) { throw std::runtime_error(caf::to_string(e)); });
}

void PipelineWorld::lose_home(std::uint32_t home) {
  auto& lost = system_->homes.at(home);
  for (const PipelineActor& stage : lost.stages)
    caf::anon_send_exit(stage, caf::exit_reason::kill);
  caf::anon_send_exit(lost.agent, caf::exit_reason::remote_link_unreachable);
}

void PipelineWorld::lose_stage(std::uint32_t stage) {
  System& world = *system_;
  auto lost = world.stages.at(stage);
  caf::anon_send_exit(lost, caf::exit_reason::kill);
  for (const System::Home& home : world.homes)
    if (std::ranges::find(home.stages, lost) != home.stages.end())
      caf::actor_cast<caf::actor>(world.coordinator)
          ->enqueue(caf::actor_cast<caf::strong_actor_ptr>(home.agent), caf::make_message_id(),
                    caf::make_message(FaultMessage{{no_session, 0, stage, "it was lost"}}),
                    nullptr);
}

std::size_t PipelineWorld::rows_computed(std::uint32_t stage) const {
  return hop(stage).stats.rows_computed;
}

const std::vector<Token>& PipelineWorld::expected_of(SessionId session) const {
  return options_.homes > 0 ? expected_.begin()->second : expected_.at(session);
}

}  // namespace flowspec::test
