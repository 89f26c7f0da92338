#pragma once
/// The coordinator of a run: watches its nodes, starts its sessions, and ends everything with
/// itself.
///
///   starting ──bind──► loading ──load_a──► serving ──exit──► all local actors and agents end
///       └───────────────────┴───────────────┴──a node is lost──► every session ends with a fault

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/fwd.hpp>
#include <caf/typed_actor.hpp>

#include "actors/interfaces.hpp"
#include "actors/pipeline/pipeline.hpp"
#include "actors/pipeline/session.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

/// Stays on the machine that asks: some of its messages cannot be serialized.
using CoordinatorActor = caf::typed_actor<
    // A node takes part, by this agent and under this name. Once per node, before `bind`.
    reacts_to<hello_a, NodeAgentActor, std::string>,
    // The pipeline of the run. Once.
    reacts_to<bind_a, Pipeline>,
    // Load all weights; answers when they are there, or with the first error.
    replies_to<load_a>::with<std::vector<StageStatsMessage>>,
    // Start a session; answers with its number.
    replies_to<submit_a, Request>::with<SessionId>,
    // The client no longer wants a session.
    reacts_to<CancelMessage>,
    // Statistics of all hops that answer in time: stages, verifier, draft.
    replies_to<stats_a>::with<std::vector<StageStatsMessage>>>;

struct CoordinatorConfig {
  /// How long one hop may take to load.
  std::chrono::seconds load_limit{600};
};

CoordinatorActor spawn_coordinator(caf::actor_system& system, CoordinatorConfig config = {});

}  // namespace flowspec

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(flowspec::Request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(flowspec::Pipeline)
