#include "actors/cluster/control_relay.hpp"

#include <caf/all.hpp>

#include "actors/support/log_failures.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

namespace {

using caf::message_priority;

ControlActor::behavior_type relay(ControlActor::pointer self, const PipelineActor& hop) {
  log_failures(self);
  self->monitor(hop);
  self->set_down_handler([self](const caf::down_msg&) { self->quit(); });
  return {
      [self, hop](const PrunesMessage& message) {
        self->send<message_priority::high>(hop, message);
      },
      [self, hop](const CancelMessage& message) {
        self->send<message_priority::high>(hop, message);
      },
      [self, hop](stats_a) { return self->delegate<message_priority::high>(hop, stats_a_v); },
  };
}

}  // namespace

ControlActor spawn_control_relay(caf::actor_system& system, PipelineActor hop) {
  return system.spawn(relay, std::move(hop));
}

}  // namespace flowspec
