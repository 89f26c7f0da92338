#pragma once
/// A pipeline on emulated devices and links: the actors are the usual ones; devices and links are
/// put between them.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/emulation/recorder.hpp"
#include "actors/pipeline/pipeline.hpp"
#include "messages/setup_types.hpp"

namespace flowspec {

struct EmulationConfig {
  /// The stages' devices, each with its link to the next hop.
  std::vector<EmulatedStage> stages;
  /// The link to the first stage: it carries token ids, no hidden states.
  EmulatedLink first_link;
  /// Carries prunes to the stages, and what the stages send to draft and pruner.
  EmulatedLink control_link;
  /// The device of draft, pruner and verifier.
  EmulatedForward draft;
  EmulatedForward head;
  /// The stage that computes on this device too: they take turns, and what they send to each other
  /// takes no time. None: the device has no stage.
  std::optional<std::uint32_t> draft_on_stage;
  /// May be null; has to outlive the actors.
  EmulationRecorder* recorder = nullptr;
};

/// Makes the devices and links of one pipeline. They end with the object, or earlier with the
/// actors of the pipeline.
class PipelineEmulation {
 public:
  PipelineEmulation(caf::actor_system& system, EmulationConfig config);
  ~PipelineEmulation();
  PipelineEmulation(const PipelineEmulation&) = delete;
  PipelineEmulation& operator=(const PipelineEmulation&) = delete;

  /// For PipelineConfig::link. Valid as long as the object is.
  LinkMaker links();
  /// A stage of this process, with its device and the link behind it. For a stage on another node,
  /// the node's agent does the same with `stage(index)`.
  StageHandle make_stage(StageConfig config, SpawnMode mode);
  const EmulatedStage& stage(std::uint32_t index) const { return config_.stages.at(index); }

 private:
  bool on_draft_device(const std::string& name) const;
  caf::actor link(const std::string& from, const std::string& to, caf::actor target);
  caf::actor stand_in(const std::string& who, const caf::actor& target);

  caf::actor_system& system_;
  EmulationConfig config_;
  caf::actor head_;
  std::vector<caf::actor> links_;
};

}  // namespace flowspec
