#pragma once
/// What the two kinds of hop, stages and the verifier, have in common: sessions open and close
/// in-band, prunes arrive by two ways, dead rows are dropped before anything is computed.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/fwd.hpp>

#include "actors/pipeline/kept_output.hpp"
#include "actors/tree/applied_prunes.hpp"
#include "actors/tree/live_view.hpp"
#include "messages/setup_types.hpp"
#include "messages/types.hpp"
#include "models/kv/kv_cache.hpp"

namespace flowspec {

/// A session as one hop sees it.
struct HopSession {
  Open open;
  LiveView view;
  /// Keys and values of the hop's layers; the verifier has none.
  KvCache cache;
  /// What a stage has sent of it.
  KeptOutput output{};
  /// Cancelled or faulty: its rows are dropped, until Close frees it.
  bool dead = false;
  /// Of the cached tokens, how many have their keys and values: all, but in a hop that is new.
  Position restored;
  /// The next hop is new, and has nothing of the session.
  bool next_lacks = false;

  HopSession(Open opened, KvCache kv)
      : open(std::move(opened)),
        view(open.root, open.slots, std::span(open.prompt).first(open.cached_tokens)),
        cache(std::move(kv)),
        restored(0) {}
  /// Takes over what another session has committed.
  HopSession(Open opened, HopSession previous)
      : open(std::move(opened)),
        view(open.root, previous.view, open.cached_tokens),
        cache(std::move(previous.cache)),
        output(std::move(previous.output)),
        restored(open.cached_tokens),
        next_lacks(previous.next_lacks) {}

  /// It begins without cached tokens.
  bool is_empty() const { return open.cached_tokens == 0; }
  bool is_restored() const { return restored == open.cached_tokens; }
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
  /// Returns the error text if the session is open already, has fewer KV slots than its prompt has
  /// tokens, or has cached tokens that nobody restores.
  std::optional<std::string> open(Open open, KvCache cache);
  bool keeps(SessionId id) const { return kept_.contains(id); }
  /// The same with the KV of the session `prefix_session`, which is gone afterwards in any case.
  /// Also returns an error text if that session's committed text does not begin with the first
  /// `cached_tokens` tokens of the prompt.
  std::optional<std::string> resume(Open open);
  /// With `keep`, a session that is not dead can be resumed. Returns those of its prunes that were
  /// applied since the last segment.
  std::vector<Prune> close(SessionId id, bool keep);
  void cancel(SessionId id);

  /// Puts all sessions aside, as if each had been closed with `keep`, and tells what there is of those
  /// that are kept. Sessions that are dead, or not restored yet, are gone. Sessions up to this number
  /// do not open any more.
  Kept part(SessionId last);
  bool is_parted(SessionId id) const { return id <= parted_; }
  /// The next hop is new: it has nothing of the sessions that are kept.
  void next_is_new();

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
  /// The same for cached positions, which come in no segment.
  void count_restored(std::size_t rows, std::uint64_t busy_ns);
  StageStats stats() const;

  /// For tests: the first broken invariant of any session.
  std::optional<std::string> broken_invariant() const;
  const std::map<SessionId, HopSession>& all() const { return sessions_; }

 private:
  static ViewResult admit(const Row& row, HopSession& session);
  Fault fail(SessionId id, SegmentId segment, std::string error);

  StageStats stats_;
  std::map<SessionId, HopSession> sessions_;
  /// Closed sessions whose KV is kept.
  std::map<SessionId, HopSession> kept_;
  AppliedPrunes applied_;
  SessionId parted_ = no_session;
};

}  // namespace flowspec
