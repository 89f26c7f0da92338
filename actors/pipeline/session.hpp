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
  Request request;
  TreePrunerActor pruner;
  /// How client and owner know it; 0: as the pipeline does.
  SessionId id = no_session;
  /// Gets every TokensMessage of a request that keeps its KV or grows, and is told when the session is
  /// parked (park_a, its id), and at its end under which number its KV is kept (done_a, its id, and that
  /// number; 0: it is not). None: nobody does.
  caf::actor owner{};
};

/// What of the hops' KV a session begins with.
struct SessionRoom {
  /// The text may go up to this position for now; 0: to its end.
  Position limit = 0;
  /// Of this session, which is open or kept, so many tokens are shared.
  SessionId source = no_session;
  Position cached = 0;
};

/// The session of a request, for the pipeline with this pruner and policy. `id` must not have been
/// used before.
SessionConfig make_session(Request request, SessionId id, TreePrunerActor pruner,
                           SessionRoom room = {});

/// Positions of prompt and answer together.
Position positions_of(const Request& request);

/// KV slots that hops need beside those of committed positions, for all sessions together: the live rows
/// that the draft may have sent, and rows in flight that have died, which the hop does not know yet.
std::uint32_t live_slots(const DraftPolicy& policy);
/// The same with the positions of one session.
std::uint32_t session_slots(const DraftPolicy& policy, std::uint32_t position_limit);

SessionActor spawn_session(caf::actor_system& system, SessionConfig config);

}  // namespace flowspec
