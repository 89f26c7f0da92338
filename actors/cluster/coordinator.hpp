#pragma once
/// The coordinator of a run: watches its nodes, starts its sessions, and ends everything with
/// itself.
///
///   starting ──bind──► loading ──load_a──► serving ──exit──► all local actors and agents end
///       └───────────────────┤             ▲   │ a node, a stage, or a link is lost: sessions pause
///                           │             │   ▼
///                           │            recovering (recovery.hpp): sessions go on
///                           │                 │ nothing can take its place
///                           └─────────────────┴──► every session ends with a fault

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/fwd.hpp>
#include <caf/node_id.hpp>
#include <caf/typed_actor.hpp>

#include "actors/interfaces.hpp"
#include "actors/pipeline/pipeline.hpp"
#include "actors/pipeline/session.hpp"
#include "actors/type_ids.hpp"

namespace flowspec {

/// A node that takes part, and where its neighbours reach it.
struct Peer {
  NodeAgentActor agent;
  /// For messages: "name (host:port)".
  std::string name;
  std::string host;
  std::uint16_t port = 0;
};

/// Where the parts of a pipeline are, and how to make them again. Empty: they are all here, and are not
/// made again.
struct Placement {
  /// By stage.
  std::vector<StageSpec> specs;
  /// Of verifier, draft, and tree pruner.
  std::array<PartSpec, 3> parts;
  /// By the number of the part, see wiring.hpp; null: it is here.
  std::vector<NodeAgentActor> homes;
  /// Of the messages with hidden states that a node sends here, for one layer's.
  std::size_t most_answer_bytes = 0;
};

/// What the agent of a part's node is told about it: see NodeAgentActor.
struct Binding {
  std::uint32_t number = 0;
  NodeAgentActor home;
  caf::actor part;
  std::vector<caf::actor> receivers;
  std::vector<caf::node_id> senders;
};
/// For all parts that are on nodes.
std::vector<Binding> bindings_of(caf::actor_system& system, const Pipeline& pipeline,
                                 const Placement& placement);
/// Lets in what nodes send to the parts that are here: hidden states may be larger than other messages.
void expect_answers(caf::actor_system& system, const Pipeline& pipeline,
                    const Placement& placement);
/// Pairs of parts, on two nodes, of which the first sends to the second. `homes` as in Placement.
std::vector<std::pair<std::uint32_t, std::uint32_t>> hops_between_nodes(
    const Wiring& wiring, const std::vector<NodeAgentActor>& homes);

/// Stays on the machine that asks: some of its messages cannot be serialized.
using CoordinatorActor = caf::typed_actor<
    // A node takes part. Those that have no stage are spares.
    reacts_to<hello_a, Peer>,
    // The pipeline of the run. Once.
    reacts_to<bind_a, Pipeline, Placement>,
    // Tell this actor (lost_a and the reason) when no session can go on.
    reacts_to<hello_a, caf::actor>,
    // From a node's agent: one of its stages is lost.
    reacts_to<FaultMessage>,
    // Load all weights; answers when they are there, or with the first error.
    replies_to<load_a>::with<std::vector<StageStatsMessage>>,
    // Start a session, at once or when there is room for it; answers with its number.
    replies_to<submit_a, Request>::with<SessionId>,
    // The client no longer wants a session.
    reacts_to<CancelMessage>,
    // From sessions: tokens that were accepted; it has left the pipeline; it has ended (see SessionConfig).
    reacts_to<TokensMessage>, reacts_to<park_a, SessionId>, reacts_to<done_a, SessionId, SessionId>,
    // Statistics of all hops that answer in time: stages, verifier, draft.
    replies_to<stats_a>::with<std::vector<StageStatsMessage>>,
    // By part (see wiring.hpp): its node, or "here".
    replies_to<status_a>::with<std::vector<std::string>>,
    // To itself: if the recovery with this number is still under way, say so.
    reacts_to<tick_a, std::uint64_t>>;

struct CoordinatorConfig {
  /// How long one hop may take to load.
  std::chrono::seconds load_limit{600};
  /// As in PipelineConfig, for stages that are made again.
  LinkMaker link = {};
};

CoordinatorActor spawn_coordinator(caf::actor_system& system, CoordinatorConfig config = {});

}  // namespace flowspec

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(flowspec::Request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(flowspec::Pipeline)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(flowspec::Peer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(flowspec::Placement)
