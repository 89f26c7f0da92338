#pragma once
/// The emulated device that draft, tree pruner and verifier share: one job at a time.
///
///   segments of the last stage ──► queue ──► verifier ──► verdict and features, held until the LM
///                                                         head is through; a draft forward pauses
///   draft ── step ──► when nothing is verified ──► draft computes ── done, held until the forward
///                                                                    is through
///   stage ── step ──► when nothing is verified ──► stage computes ── done, when its forward is
///                     through; a draft forward pauses
///
/// The third line is for devices that a stage shares with them; its forwards are not interrupted.
/// A verification starts when everything that happens at the same moment has been handled; all
/// segments that have arrived by then share one call of the LM head. Prunes, and what the verifier
/// says about them, take no time.

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "messages/setup_types.hpp"

namespace flowspec {

class EmulationRecorder;

struct HeadDeviceConfig {
  EmulatedForward draft;
  /// LM head and sampling.
  EmulatedForward head;
  /// May be null.
  EmulationRecorder* recorder = nullptr;
};

/// Spawns the device. It is a proxy: it stands for the verifier towards the last stage, for pruner
/// and draft towards the verifier, and for the draft towards itself. (bind_a, name, actor) tells it
/// the actors; the names are "verifier", "pruner" and "draft", and "stage" for the device of a stage
/// that shares its time. The latter asks for it with `step_a`, gets `step_a`, and gives it back with
/// `done_a`.
caf::actor spawn_head_device(caf::actor_system& system, HeadDeviceConfig config);

}  // namespace flowspec
