#pragma once
/// An emulated device around a real stage. The stage does not know about it: it computes as fast as
/// it can, and the device releases the result when the emulated device would have it.
///
///   Open, Segment,       ──► queue ──device is free──► stage computes ──► held until the emulated
///   Restored, Close                                                       forward's end ──► link
///   Prunes, Cancel ───────────────── at once ────────► stage
///   requests ──────── their time on the way ─────────► stage ──── as long ────► answer
///
/// `part_a` waits also for the end of a forward that has begun, as it does in a stage that is computing.
/// With `bind_a` the device gets a new link to the new next hop.
///
/// So rows that die in the queue are dropped before they are computed, as on a device of that
/// speed. A stage may share its device with the draft (see head_device.hpp): then a segment also
/// waits until the draft's device is free. Under the real clock the real time counts as a part of the emulated time.

#include <string>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "actors/emulation/timing.hpp"
#include "actors/pipeline/pipeline.hpp"
#include "actors/pipeline/stage.hpp"
#include "messages/setup_types.hpp"

namespace flowspec {

class EmulationRecorder;

/// Spawns the stage, a device around it, and the device's link to the next hop. The returned handle
/// is the device's, which passes requests on to the stage. When one of the three ends, so do the
/// others.
/// @param recorder  may be null.
/// @param shared    the head device, if the stage computes on it; else empty.
/// @param way       how long requests, and their answers, travel.
PipelineActor spawn_emulated_stage(caf::actor_system& system, StageConfig config, SpawnMode mode,
                                   const EmulatedStage& emulation, const std::string& next_device,
                                   EmulationRecorder* recorder, const caf::actor& shared = {},
                                   EmulationSpan way = {});

}  // namespace flowspec
