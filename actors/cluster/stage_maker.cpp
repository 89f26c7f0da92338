#include "actors/cluster/stage_maker.hpp"

#include <algorithm>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/node.hpp"
#include "actors/cluster/stage_plan.hpp"
#include "actors/cluster/wire/transport_module.hpp"
#include "actors/emulation/stage_device.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

bool StageList::add(const PipelineActor& stage, std::size_t most_segment_bytes) {
  std::lock_guard lock(mutex_);
  if (*closed_)
    return false;
  stages_.emplace_back(stage, most_segment_bytes);
  return true;
}

std::optional<std::size_t> StageList::most_segment_bytes(const PipelineActor& stage) const {
  std::lock_guard lock(mutex_);
  auto found = std::ranges::find(stages_, stage, &std::pair<PipelineActor, std::size_t>::first);
  return found == stages_.end() ? std::nullopt : std::optional(found->second);
}

void StageList::remove(const caf::actor_addr& stage) {
  std::lock_guard lock(mutex_);
  std::erase_if(stages_, [&](const auto& entry) { return entry.first.address() == stage; });
}

std::size_t StageList::size() const {
  std::lock_guard lock(mutex_);
  return stages_.size();
}

void StageList::close() {
  std::lock_guard lock(mutex_);
  *closed_ = true;
  for (const auto& [stage, bytes] : stages_)
    end_actor(stage);
}

namespace {

class StageMaker {
 public:
  static constexpr const char* name = "stage_maker";

  void init(StageMakerActor::pointer self, std::shared_ptr<Node> node,
            std::shared_ptr<StageList> stages) {
    self_ = self;
    node_ = std::move(node);
    stages_ = std::move(stages);
    log_failures(self);
  }

  caf::result<PipelineActor, ControlActor> spawn_stage(const StageSpecMessage& message,
                                                       const caf::node_id& previous,
                                                       const PipelineActor& next,
                                                       const TreePrunerActor& pruner,
                                                       const DraftActor& draft) {
    auto spec = message.read();
    if (!spec)
      return refuse(error_text(spec.error()));
    if (!previous || !next || !pruner || !draft)
      return refuse("the new stage was given no neighbours");
    auto plan = plan_stage(node_, *spec, stages_->closed());
    if (!plan)
      return refuse(plan.error());
    auto make = [&] {
      StageConfig config;
      config.stage = spec->stage;
      config.vocab_size = plan->vocab_size;
      config.taps = spec->taps;
      config.keeps_output = spec->keeps_output;
      config.kv_limit = node_->options().kv_limit;
      config.memory = node_->memory();
      config.load = std::move(plan->load);
      config.peers = {next, pruner, draft};
      if (spec->emulation)
        return spawn_emulated_stage(self_->system(), std::move(config), SpawnMode::detached,
                                    *spec->emulation, {}, nullptr);
      return flowspec::spawn_stage(self_->system(), std::move(config), SpawnMode::detached);
    };
    auto stage = node_->add_stage(make);
    if (!stage)
      return refuse(
          fmt::format("takes at most {} stages (--max-stages): {} of this run and {} of "
                      "others are there already",
                      node_->options().max_stages, stages_->size(),
                      node_->stages().size() - std::min(node_->stages().size(), stages_->size())));
    expect_data(self_->system(), caf::actor_cast<caf::actor>(*stage), previous,
                plan->most_segment_bytes);
    if (!stages_->add(*stage, plan->most_segment_bytes)) {
      end_actor(*stage);
      return refuse("nobody wants the stage any more");
    }
    spdlog::info("stage {}: layers {} to {} of {}", spec->stage, spec->first_layer, spec->end_layer,
                 spec->model_file);
    return {*stage, *stage};
  }

 private:
  caf::error refuse(const caf::error& error) {
    spdlog::warn("refused a stage: {}", error_text(error));
    return error;
  }

  caf::error refuse(const std::string& why) {
    return refuse(text_error(ErrorCode::does_not_fit,
                             fmt::format("node {}: {}", node_->options().name, why)));
  }

  StageMakerActor::pointer self_ = nullptr;
  std::shared_ptr<Node> node_;
  std::shared_ptr<StageList> stages_;
};

StageMakerActor::behavior_type stage_maker(StageMakerActor::stateful_pointer<StageMaker> self,
                                           std::shared_ptr<Node> node,
                                           std::shared_ptr<StageList> stages) {
  self->state.init(self, std::move(node), std::move(stages));
  auto& state = self->state;
  return {[&state](spawn_st_a, const StageSpecMessage& spec, const caf::node_id& previous,
                   const PipelineActor& next, const TreePrunerActor& pruner,
                   const DraftActor& draft) {
    return state.spawn_stage(spec, previous, next, pruner, draft);
  }};
}

}  // namespace

StageMakerActor spawn_stage_maker(caf::actor_system& system, std::shared_ptr<Node> node,
                                  std::shared_ptr<StageList> stages) {
  return system.spawn<caf::detached>(stage_maker, std::move(node), std::move(stages));
}

}  // namespace flowspec
