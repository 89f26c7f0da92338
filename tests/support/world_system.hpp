#pragma once
/// What stands behind PipelineWorld.

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <fmt/format.h>

#include "actors/cluster/coordinator.hpp"
#include "actors/pipeline/hop.hpp"
#include "actors/pipeline/pipeline.hpp"
#include "actors/pipeline/session.hpp"
#include "actors/policy/drafter.hpp"
#include "actors/support/sampler_options.hpp"
#include "actors/type_ids.hpp"
#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "tests/support/path_stage.hpp"
#include "tests/support/pipeline_world.hpp"

namespace flowspec::test {

struct WorldConfig : caf::actor_system_config {
  WorldConfig() {
    add_message_types<caf::id_block::flowspec_messages>();
    add_message_types<caf::id_block::flowspec_actors>();
    set("scheduler.policy", caf::atom("testing"));
  }
};

template <class Handle>
caf::resumable* job_of(const Handle& handle) {
  return dynamic_cast<caf::resumable*>(caf::actor_cast<caf::abstract_actor*>(handle));
}

/// The layers of stage `index` of `stages` that share the model's.
inline LayerRange share_of(const ModelConfig& model, std::uint32_t index, std::uint32_t stages) {
  return {model.layers * index / stages, model.layers * (index + 1) / stages};
}

/// Stage `index`, with these layers of the model, which checks what is in the slots that it reads.
inline StageConfig stage_of(const std::shared_ptr<GgufFile>& file, const ModelConfig& model,
                            std::uint32_t index, LayerRange layers, std::uint32_t rows) {
  StageConfig stage;
  stage.stage = index;
  stage.vocab_size = model.vocab_size;
  stage.load = [=]() -> caf::expected<std::unique_ptr<StageModel>> {
    return std::make_unique<PathStage>(
        std::make_unique<CpuStageModel>(*file, model, StageOptions{layers, 1, rows}));
  };
  return stage;
}

struct PipelineWorld::System {
  WorldConfig config;
  caf::actor_system system{config};
  caf::scheduler::test_coordinator& scheduler =
      dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  caf::scoped_actor self{system, true};
  /// By name: the one that was opened last.
  std::map<std::string, caf::actor> channels;
  std::vector<caf::actor> all_channels;
  std::map<caf::resumable*, std::string> channel_jobs;
  std::map<std::string, ChannelState> channel_states;
  std::shared_ptr<const Tokenizer> tokenizer;
  Pipeline pipeline;
  CoordinatorActor coordinator;
  std::map<SessionId, SessionActor> sessions;
  std::map<SessionId, std::optional<Report>> reports;
  std::map<SessionId, std::size_t> pieces;
  std::map<SessionId, std::vector<TokenLogprob>> logprobs;
  std::vector<caf::actor> clients;
  std::shared_ptr<GgufFile> file;
  ModelConfig model;
  struct Home {
    NodeAgentActor agent;
    /// Of the pipeline.
    std::vector<caf::actor> parts;
  };
  std::vector<Home> homes;
  /// By number: the one that was made last.
  std::map<std::uint32_t, PipelineActor> stages;
  LinkMaker link;
  PipelineConfig pipeline_config;

  void run_all() {
    while (scheduler.try_run_once()) {
    }
  }

  /// A channel to `target`, which logs to `log` if there is one.
  caf::actor open_channel(const std::string& name, caf::actor target, std::vector<Delivery>* log) {
    auto& state = channel_states[name];
    state.name = name;
    state.log = log;
    auto channel = spawn_channel(system, std::move(target), &state);
    channels.insert_or_assign(name, channel);
    all_channels.push_back(channel);
    channel_jobs.emplace(job_of(channel), name);
    return channel;
  }

  template <class Actor>
  void load(const Actor& actor) {
    auto request = self->request(actor, caf::infinite, load_a_v);
    run_all();
    request.receive([](const StageStatsMessage&) {},
                    [](const caf::error& e) { throw std::runtime_error(caf::to_string(e)); });
  }

  void end(const caf::actor& actor) { caf::anon_send_exit(actor, caf::exit_reason::kill); }
};

}  // namespace flowspec::test
