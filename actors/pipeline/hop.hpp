#pragma once
/// What the two kinds of hop, stages and the verifier, do alike: sessions come and go in-band,
/// prunes come by two ways, dead rows are dropped before anything is computed.

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
  /// Gives the error text if the session is open already, or has fewer KV slots than its prompt has
  /// tokens.
  std::optional<std::string> open(Open open, KvCache cache);
  /// The same with the KV of the session that was before, which is gone afterwards in any case.
  /// Gives the error text also if its committed text is not what the prompt begins with.
  std::optional<std::string> resume(Open open);
  /// With `keep`, a session that is not dead can be resumed. Gives those of its prunes that were
  /// applied since the last segment.
  std::vector<Prune> close(SessionId id, bool keep);
  void cancel(SessionId id);

  /// Applies what is new, and remembers it for the next hop. Sessions whose prune does not fit are
  /// dead from then on; their faults are appended.
  void apply(const std::vector<Prune>& prunes, std::vector<Fault>& faults);

  /// Gives every live row its slot. Dead rows and rows of unknown sessions are counted and left
  /// out.
  std::vector<LiveRow> admit(const Segment& segment, std::vector<Fault>& faults);

  /// The prunes applied since they were forgotten last: they ride on the next segment.
  const std::vector<Prune>& applied() const { return applied_.all(); }
  /// They have been handed on, or no hop follows that would want them.
  void forget_applied() { applied_.forget(); }

  /// A message that could not be read.
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
