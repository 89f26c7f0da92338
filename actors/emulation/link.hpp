#pragma once
/// A link between two emulated devices, in one direction: one transfer at a time, in order.
///
///   sender ──► waits until the link is free ──bytes / rate──► latency ──► receiver

#include <string>

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include "messages/setup_types.hpp"

namespace flowspec {

class EmulationRecorder;

struct LinkConfig {
  EmulatedLink link;
  /// For the recorder: names of devices.
  std::string from;
  std::string to;
  caf::actor target;
  /// May be null.
  EmulationRecorder* recorder = nullptr;
};

/// Spawns an actor that passes every message on to the target. Prunes and cancels arrive there with
/// high priority, as they were sent. It ends on an exit message, or when nothing refers to it any
/// more.
caf::actor spawn_emulated_link(caf::actor_system& system, LinkConfig config);

}  // namespace flowspec
