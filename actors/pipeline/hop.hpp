#pragma once
/// What the two kinds of hop, stages and the verifier, have in common: sessions open and close
/// in-band, prunes arrive by two ways, dead rows are dropped before anything is computed.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/fwd.hpp>

#include "actors/tree/applied_prunes.hpp"
#include "actors/tree/live_view.hpp"
#include "messages/types.hpp"
#include "models/kv/kv_cache.hpp"

namespace flowspec {

/// A session as one hop sees it.
struct HopSession {
  Open open;
  LiveView view;
  /// Keys and values of the hop's layers; the verifier has none.
  KvCache cache;
  /// Cancelled or faulty: its rows are dropped, until Close frees it.
  bool dead = false;

  HopSession(Open opened, KvCache kv)
      : open(std::move(opened)), view(open.root, open.slots), cache(std::move(kv)) {}
  /// Takes over what another session has committed.
  HopSession(Open opened, HopSession previous)
      : open(std::move(opened)),
        view(open.root, previous.view, open.cached_tokens),
        cache(std::move(previous.cache)) {}
};

/// A row that is live and has its slot.
struct LiveRow {
  /// Index in the segment that it came in.
  std::size_t index;
  Row row;
  HopSession* session;
  Slot slot;
};

/// The sessions of a hop, and the counters of what came in. Plain C++: the actor reports the
/// faults.
class HopSessions {
 public:
  explicit HopSessions(std::uint32_t stage) { stats_.stage = stage; }

  HopSession* find(SessionId id);
  /// Returns the error text if the session is open already, or has fewer KV slots than its prompt
  /// has tokens.
  std::optional<std::string> open(Open open, KvCache cache);
  /// The same with the KV of the session `prefix_session`, which is gone afterwards in any case.
  /// Also returns an error text if that session's committed text does not begin with the first
  /// `cached_tokens` tokens of the prompt.
  std::optional<std::string> resume(Open open);
  /// With `keep`, a session that is not dead can be resumed. Returns those of its prunes that were
  /// applied since the last segment.
  std::vector<Prune> close(SessionId id, bool keep);
  void cancel(SessionId id);

  /// Applies the prunes that are new, and remembers them for the next hop. A session whose prune
  /// does not fit is dead from then on; its fault is appended.
  void apply(const std::vector<Prune>& prunes, std::vector<Fault>& faults);

  /// Gives every live row its slot. Dead rows and rows of unknown sessions are counted and left
  /// out.
  std::vector<LiveRow> admit(const Segment& segment, std::vector<Fault>& faults);

  /// The prunes applied since the last `forget_applied`: they travel with the next segment.
  const std::vector<Prune>& applied() const { return applied_.all(); }
  /// To be called when they have been sent on, or when no hop follows.
  void forget_applied() { applied_.forget(); }

  /// Counts a message that could not be read.
  void count_malformed() { ++stats_.malformed; }
  void count_computed(std::size_t rows, std::uint64_t busy_ns);
  StageStats stats() const;

  /// For tests: the first broken invariant of any session.
  std::optional<std::string> broken_invariant() const;
  const std::map<SessionId, HopSession>& all() const { return sessions_; }

 private:
  Fault fail(SessionId id, SegmentId segment, std::string error);

  StageStats stats_;
  std::map<SessionId, HopSession> sessions_;
  /// Closed sessions whose KV is kept.
  std::map<SessionId, HopSession> kept_;
  AppliedPrunes applied_;
};

}  // namespace flowspec
