#pragma once
/// A session: one request, from its prompt to its report.
///
///   open ──tokens──► open ──end of text, a limit, a stop string, cancel, fault──► closing
///                                                                                    │ Closed
///   report to the client ◄───────────────────────────────────────────────────────────┘

#include <cstdint>

#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"
#include "actors/pipeline/request.hpp"
#include "messages/types.hpp"

namespace flowspec {

struct DraftPolicy;

/// Where a request runs. Only `make_session` turns a request into ids, positions and KV slots.
struct SessionConfig {
  Open open;
  /// Its prompt stands in `open`.
  Request request;
  TreePrunerActor pruner;
};

/// The session of a request, for the pipeline with this pruner and policy. `id` must not have been
/// used before.
SessionConfig make_session(Request request, SessionId id, const DraftPolicy& policy,
                           TreePrunerActor pruner);

/// KV slots that a session needs on every hop: its positions, the live rows that the draft may have
/// sent, and rows in flight that have died, which the hop does not know yet.
std::uint32_t session_slots(const DraftPolicy& policy, std::uint32_t position_limit);

SessionActor spawn_session(caf::actor_system& system, SessionConfig config);

}  // namespace flowspec
