#include "actors/emulation/emulation.hpp"

#include <caf/all.hpp>

#include "actors/emulation/head_device.hpp"
#include "actors/emulation/link.hpp"
#include "actors/emulation/stage_device.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

bool is_stage(const std::string& name) {
  return name.starts_with("stage ");
}

std::string stage_name(std::size_t index) {
  return "stage " + std::to_string(index);
}

}  // namespace

PipelineEmulation::PipelineEmulation(caf::actor_system& system, EmulationConfig config)
    : system_(system),
      config_(std::move(config)),
      head_(spawn_head_device(system, {config_.draft, config_.head, config_.recorder})) {}

PipelineEmulation::~PipelineEmulation() {
  for (const caf::actor& link : links_)
    end_actor(link);
  end_actor(head_);
}

LinkMaker PipelineEmulation::links() {
  return [this](const std::string& from, const std::string& to, caf::actor target) {
    // The link behind a stage is made with the stage's device, which may be on another node.
    if (to == "verifier" && is_stage(from))
      return stand_in(to, target);
    if (is_stage(from) && is_stage(to))
      return target;
    if (is_stage(from) || is_stage(to))
      return link(from, to, std::move(target));
    // What remains are the messages among draft, pruner and verifier.
    if (from == "verifier" || (from == "draft" && to == "draft"))
      return stand_in(to, target);
    if (from == "pruner" && to == "draft" && config_.recorder != nullptr)
      return link(from, to, std::move(target));
    return target;
  };
}

StageHandle PipelineEmulation::make_stage(StageConfig config, SpawnMode mode) {
  auto index = config.stage;
  auto next = index + 1 < config_.stages.size() ? stage_name(index + 1) : "draft";
  auto emulation = stage(index);
  bool shares = on_draft_device(stage_name(index));
  if (shares && on_draft_device(next))
    emulation.link = {};
  // What the run's own process asks of another device takes its time.
  auto way = EmulationSpan{shares ? 0 : config_.control_link.latency_ns};
  auto device = spawn_emulated_stage(system_, std::move(config), mode, emulation, next,
                                     config_.recorder, shares ? head_ : caf::actor{}, way);
  return {device, device};
}

/// On the device of draft, pruner and verifier.
bool PipelineEmulation::on_draft_device(const std::string& name) const {
  return !is_stage(name) || (config_.draft_on_stage && name == stage_name(*config_.draft_on_stage));
}

caf::actor PipelineEmulation::link(const std::string& from, const std::string& to,
                                   caf::actor target) {
  EmulatedLink how = config_.control_link;
  if (from == "draft")
    how = config_.first_link;
  if (on_draft_device(from) && on_draft_device(to))
    how = {};  // only the recorder listens
  links_.push_back(
      spawn_emulated_link(system_, {how, from, to, std::move(target), config_.recorder}));
  return links_.back();
}

caf::actor PipelineEmulation::stand_in(const std::string& who, const caf::actor& target) {
  caf::anon_send(head_, bind_a_v, who, target);
  return head_;
}

}  // namespace flowspec
