#include "actors/cluster/part_maker.hpp"

#include <algorithm>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/node.hpp"
#include "actors/cluster/part_plan.hpp"
#include "actors/cluster/stage_plan.hpp"
#include "actors/emulation/stage_device.hpp"
#include "actors/pipeline/tree_pruner.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

bool PartList::add(const caf::actor& part, std::size_t most_data_bytes) {
  std::lock_guard lock(mutex_);
  if (*closed_)
    return false;
  parts_.emplace_back(part, most_data_bytes);
  return true;
}

std::optional<std::size_t> PartList::most_data_bytes(const caf::actor& part) const {
  std::lock_guard lock(mutex_);
  auto found = std::ranges::find(parts_, part, &std::pair<caf::actor, std::size_t>::first);
  return found == parts_.end() ? std::nullopt : std::optional(found->second);
}

void PartList::remove(const caf::actor_addr& part) {
  std::lock_guard lock(mutex_);
  std::erase_if(parts_, [&](const auto& entry) { return entry.first.address() == part; });
}

std::size_t PartList::size() const {
  std::lock_guard lock(mutex_);
  return parts_.size();
}

void PartList::close() {
  std::lock_guard lock(mutex_);
  *closed_ = true;
  for (const auto& [part, bytes] : parts_)
    end_actor(part);
}

namespace {

class PartMaker {
 public:
  static constexpr const char* name = "part_maker";

  void init(PartMakerActor::pointer self, std::shared_ptr<Node> node,
            std::shared_ptr<PartList> parts) {
    self_ = self;
    node_ = std::move(node);
    parts_ = std::move(parts);
    log_failures(self);
  }

  caf::result<PipelineActor, ControlActor> spawn_stage(const StageSpecMessage& message,
                                                       const PipelineActor& next,
                                                       const TreePrunerActor& pruner,
                                                       const DraftActor& draft) {
    auto spec = message.read();
    if (!spec)
      return refuse(error_text(spec.error()));
    if (!next || !pruner || !draft)
      return refuse("the new stage was given no neighbours");
    auto plan = plan_stage(node_, *spec, parts_->closed());
    if (!plan)
      return refuse(plan.error());
    auto make = [&] {
      StageConfig config;
      config.stage = spec->stage;
      config.vocab_size = plan->vocab_size;
      config.taps = spec->taps;
      config.keeps_output = spec->keeps_output;
      config.kv = {spec->kv_slots, node_->options().kv_limit, node_->memory()};
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
                      node_->options().max_stages, parts_->size(),
                      node_->stages().size() - std::min(node_->stages().size(), parts_->size())));
    if (!parts_->add(caf::actor_cast<caf::actor>(*stage), plan->most_segment_bytes)) {
      end_actor(*stage);
      return refuse("nobody wants the stage any more");
    }
    spdlog::info("stage {}: layers {} to {} of {}", spec->stage, spec->first_layer, spec->end_layer,
                 spec->model_file);
    return {*stage, *stage};
  }

  caf::result<caf::actor> spawn_part(const PartSpecMessage& message, const TreePrunerActor& pruner,
                                     const DraftActor& draft) {
    auto spec = message.read();
    if (!spec)
      return refuse(error_text(spec.error()));
    if (parts_->size() >= node_->options().max_stages + most_parts)
      return refuse("has too many parts of this run already");
    auto part = make(*spec, pruner, draft);
    if (!part)
      return refuse(part.error());
    if (!parts_->add(part->actor, part->most_data_bytes)) {
      end_actor(part->actor);
      return refuse("nobody wants it any more");
    }
    return part->actor;
  }

 private:
  /// Each at most once in a pipeline; while one is made again, the one before may not have ended.
  static constexpr std::size_t most_parts = 6;

  struct Made {
    caf::actor actor;
    std::size_t most_data_bytes = 0;
  };

  caf::expected<Made> make(const PartSpec& spec, const TreePrunerActor& pruner,
                           const DraftActor& draft) {
    switch (spec.part) {
      case Part::verifier:
        return make_verifier(spec, pruner, draft);
      case Part::draft:
        return make_draft(spec, pruner);
      case Part::pruner:
        break;
    }
    auto policy = policy_of(*node_, spec);
    if (!policy)
      return policy.error();
    spdlog::info("the tree pruner of a pipeline of {} stages", spec.stages);
    auto made = spawn_tree_pruner(self_->system(), policy->direct_prunes);
    return Made{caf::actor_cast<caf::actor>(made)};
  }

  caf::expected<Made> make_verifier(const PartSpec& spec, const TreePrunerActor& pruner,
                                    const DraftActor& draft) {
    if (!pruner || !draft)
      return without_neighbours();
    auto plan = plan_verifier(node_, spec, parts_->closed());
    if (!plan)
      return plan.error();
    spdlog::info("the verifier of {}", spec.model_file);
    auto made = spawn_verifier(self_->system(),
                               {spec.stages, spec.max_rows, std::move(plan->load), pruner, draft,
                                spec.sends_features, nullptr, spec.hidden_type},
                               SpawnMode::detached);
    return Made{caf::actor_cast<caf::actor>(made), plan->most_segment_bytes};
  }

  caf::expected<Made> make_draft(const PartSpec& spec, const TreePrunerActor& pruner) {
    if (!pruner)
      return without_neighbours();
    auto plan = plan_draft(node_, spec, parts_->closed());
    if (!plan)
      return plan.error();
    spdlog::info("the draft {} for {}", spec.draft, spec.model_file);
    auto made = spawn_draft(self_->system(),
                            {plan->policy,
                             std::move(plan->load),
                             pruner,
                             nullptr,
                             std::move(plan->memory),
                             {spec.kv_slots, node_->options().kv_limit, node_->memory()}},
                            SpawnMode::detached);
    return Made{caf::actor_cast<caf::actor>(made), plan->most_feature_bytes};
  }

  caf::error without_neighbours() const {
    return text_error(ErrorCode::protocol, fmt::format("node {}: a part was given no neighbours",
                                                       node_->options().name));
  }

  caf::error refuse(const caf::error& error) {
    spdlog::warn("refused a part of a pipeline: {}", error_text(error));
    return error;
  }

  caf::error refuse(const std::string& why) {
    return refuse(text_error(ErrorCode::does_not_fit,
                             fmt::format("node {}: {}", node_->options().name, why)));
  }

  PartMakerActor::pointer self_ = nullptr;
  std::shared_ptr<Node> node_;
  std::shared_ptr<PartList> parts_;
};

PartMakerActor::behavior_type part_maker(PartMakerActor::stateful_pointer<PartMaker> self,
                                         std::shared_ptr<Node> node,
                                         std::shared_ptr<PartList> parts) {
  self->state.init(self, std::move(node), std::move(parts));
  auto& state = self->state;
  return {[&state](spawn_st_a, const StageSpecMessage& spec, const PipelineActor& next,
                   const TreePrunerActor& pruner, const DraftActor& draft) {
            return state.spawn_stage(spec, next, pruner, draft);
          },
          [&state](spawn_pt_a, const PartSpecMessage& spec, const TreePrunerActor& pruner,
                   const DraftActor& draft) { return state.spawn_part(spec, pruner, draft); }};
}

}  // namespace

PartMakerActor spawn_part_maker(caf::actor_system& system, std::shared_ptr<Node> node,
                                std::shared_ptr<PartList> parts) {
  return system.spawn<caf::detached>(part_maker, std::move(node), std::move(parts));
}

}  // namespace flowspec
