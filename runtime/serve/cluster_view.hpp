#pragma once
/// What a server tells of its pipeline, as JSON: the live view of the page, and the state of the
/// cluster. Pure functions.
///
/// Event `state` of `GET /events`, four times a second; counters only grow, so that a reader takes rates
/// from the difference of two events:
///
///     {"at_us": 81234567,                  // monotonic clock of this process
///      "health": "ready",                  // "loading", "ready", "degraded": sessions pause
///      "model": "target.gguf", "draft": "draft.gguf", "mode": "flowspec",
///      "totals": {"requests": 9, "tokens": 811, "prompt_tokens": 90, "cached_tokens": 40,
///                 "verifications": 402, "recoveries": 1, "paused_us": 151000},
///      "sessions": [{"id": 9, "phase": "text",   // "waiting", "prompt", "text", "paused"
///                    "prompt_tokens": 12, "cached_tokens": 4, "tokens": 31, "verifications": 15,
///                    "age_us": 312000}],
///      "waiting": 0,                       // sessions in the phase "waiting"
///      "tree": {"nodes": 40, "sent": 28},  // of all sessions: guessed tokens, and those in flight; or null
///      "hops": [                           // in the order in which rows pass: draft, stages, verifier
///        {"name": "stage 0", "kind": "stage", "place": "n1 (10.0.0.1:7341)", "layers": [0, 4],
///         // What follows is null where the hop did not answer:
///         "busy_us": 51234, "segments": 120, "rows": 1802, "rows_kept": 260, "rows_dropped": 44,
///         "kv": {"used": 310, "slots": 4096, "bytes": 1310720},
///         "recent": [[1201, 16, 2, 90210, 310], ...]}],   // segment, rows, kept, ago_us, busy_us
///      "nodes": [{"name": "n1 (10.0.0.1:7341)", "state": "works",   // "works", "spare", "lost"
///                 "parts": ["stage 0"]}],
///      "news": [{"at_us": 7120000, "text": "n2 was lost"}]}          // oldest first
///
/// `GET /v1/cluster` is the same without `recent`, with `"object": "cluster"`, with the `epoch` (1, and one
/// more after each recovery), and for every stage `segment_us`: the mean time of a segment so far and what
/// the planner expects of one with as many rows, `{"measured": 310.0, "planned": 295.1}`, each null if not
/// known.

#include <cstdint>
#include <string>
#include <vector>

#include "messages/setup_types.hpp"
#include "models/base/types.hpp"

namespace flowspec {

enum class ServeHealth { loading, ready, degraded };
enum class SessionPhase { waiting, prompt, text, paused };

struct ServedSession {
  std::uint64_t id = 0;
  SessionPhase phase = SessionPhase::waiting;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t cached_tokens = 0;
  /// Of the answer so far.
  std::uint64_t tokens = 0;
  std::uint64_t verifications = 0;
  std::uint64_t age_us = 0;
};

/// Since the server has started, running sessions included.
struct ServedTotals {
  std::uint64_t requests = 0;
  std::uint64_t tokens = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::uint64_t verifications = 0;
  std::uint64_t recoveries = 0;
  std::uint64_t paused_us = 0;
};

struct ServedNode {
  /// As in places: "name (host:port)".
  std::string name;
  bool is_lost = false;
};

struct ClusterNews {
  std::uint64_t at_us = 0;
  std::string text;
};

/// What is known of a pipeline and its sessions at one moment.
struct ClusterState {
  /// Monotonic clock of this process.
  std::uint64_t at_us = 0;
  ServeHealth health = ServeHealth::loading;
  std::string model;
  /// Empty: none.
  std::string draft;
  std::string mode;
  /// By stage.
  std::vector<LayerRange> layers;
  /// By part, see actors/pipeline/wiring.hpp, as the coordinator tells; parts without one are "here".
  std::vector<std::string> places;
  /// Stages, verifier, draft. Of another size: not all of them have answered, so that it is not known which
  /// is whose, and none is shown.
  std::vector<StageStats> stats;
  /// What the planner expects, by stage; empty: nothing was planned.
  std::vector<LayerSpeed> forecast;
  std::vector<ServedNode> nodes;
  std::vector<ServedSession> sessions;
  ServedTotals totals;
  /// Oldest first.
  std::vector<ClusterNews> news;
};

/// Parts leave a node only when it is lost: marks nodes that had parts and have none now, and those that were
/// lost and have no part since. One that comes back is told of when it gets a part again.
void note_losses(const ClusterState& before, ClusterState& now);

/// What people would want to know of the change: nodes that went and came, parts that moved, and pauses.
/// In sentences without a full stop.
std::vector<std::string> changes(const ClusterState& before, const ClusterState& now);

/// One line.
std::string state_event_json(const ClusterState& state);
std::string cluster_json(const ClusterState& state);

}  // namespace flowspec
