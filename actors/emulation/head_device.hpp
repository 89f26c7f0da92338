#pragma once
/// The emulated device that draft, tree pruner and verifier share: one job at a time.
///
///   segments of the last stage ──► queue ──► verifier ──► verdict and features, held until the LM
///                                                         head is through; a draft forward pauses
///   draft ── step ──► when nothing is verified ──► draft computes ── done, held until the forward
///                                                                    is through
///
/// A verification starts when everything that happens at the same moment has been handled; all
/// segments that have come by then share one call of the LM head. Prunes, and whatever the verifier
/// says about them, cost nothing.

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "messages/types.hpp"

namespace flowspec {

class EmulationRecorder;

struct HeadDeviceConfig {
  EmulatedForward draft;
  /// LM head and sampling.
  EmulatedForward head;
  /// May be null.
  EmulationRecorder* recorder = nullptr;
};

/// Spawns the device. It takes the place of actors: of the verifier for the last stage, of pruner
/// and draft for the verifier, of the draft for itself. (bind_a, name, actor) tells it who they are;
/// the names are "verifier", "pruner" and "draft".
caf::actor spawn_head_device(caf::actor_system& system, HeadDeviceConfig config);

}  // namespace flowspec
