#pragma once
/// What the two kinds of hop, stages and the verifier, have in common: sessions open and close
/// in-band, prunes arrive by two ways, dead rows are dropped before anything is computed.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/fwd.hpp>

#include "actors/pipeline/segment_log.hpp"
#include "actors/tree/applied_prunes.hpp"
#include "actors/tree/live_view.hpp"
#include "messages/setup_types.hpp"
#include "messages/types.hpp"
#include "models/kv/slot_pool.hpp"

namespace flowspec {

/// A session as one hop sees it.
struct HopSession {
  Open open;
  LiveView view;
  /// What the stage has sent of all committed positions is kept, by their slots.
  bool has_output = false;
  /// Cancelled or faulty: its rows are dropped, until Close frees it.
  bool dead = false;
  /// Of the cached tokens, how many have their keys and values: all, but in a hop that is new.
  Position restored;
  /// The next hop is new, and has nothing of the session.
  bool next_lacks = false;

  /// Throws ModelError if there are no slots for the cached tokens.
  HopSession(Open opened, std::shared_ptr<SlotPool> pool)
      : open(std::move(opened)),
        view(open.root, std::move(pool), std::span(open.prompt).first(open.cached_tokens)),
        restored(0) {}
  /// Begins with what another session has committed.
  HopSession(Open opened, const HopSession& other)
      : open(std::move(opened)),
        view(open.root, other.view, open.cached_tokens),
        has_output(other.has_output),
        restored(open.cached_tokens),
        next_lacks(other.next_lacks) {}

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
  /// @param pool  of the hop's KV slots; a hop without keys and values numbers its rows by them.
  explicit HopSessions(std::uint32_t stage, std::shared_ptr<SlotPool> pool =
                                                std::make_shared<SlotPool>(SlotPool::unlimited))
      : pool_(std::move(pool)) {
    stats_.stage = stage;
  }
  /// Before the first session opens.
  void use(std::shared_ptr<SlotPool> pool) { pool_ = std::move(pool); }

  HopSession* find(SessionId id);
  /// The session has committed something that another may share: it is open, or was kept.
  bool has(SessionId id) const { return kept_.contains(id) || sessions_.contains(id); }
  /// Shares the KV of `prefix_session`, where the hop has that session. Returns the error text if the
  /// session is open already, or if that session's committed text does not begin with the first
  /// `cached_tokens` tokens of the prompt; or if there is none, and nobody restores them.
  std::optional<std::string> open(Open open);
  /// A session may go on to more positions.
  void grow(const Grow& grow);
  /// Slots that open sessions may take and have not taken.
  std::uint64_t promised() const;
  /// With `keep`, a session that is not dead can be resumed. Returns those of its prunes that were
  /// applied since the last segment.
  std::vector<Prune> close(SessionId id, bool keep);
  void cancel(SessionId id);

  /// Puts all sessions aside, as if each had been closed with `keep`, and tells what there is of those
  /// that are kept. Sessions that are dead, or not restored yet, are gone. Sessions up to this number
  /// do not open any more.
  Kept part(SessionId last);
  bool is_parted(SessionId id) const { return id <= parted_; }
  /// Nothing of what was sent is kept any longer.
  void forget_output();
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
  /// Those of one session.
  std::vector<Prune> applied(SessionId session) const { return applied_.of(session); }
  /// To be called when they have been sent on, or when no hop follows.
  void forget_applied() { applied_.forget(); }

  /// Counts a message that could not be read.
  void count_malformed() { ++stats_.malformed; }
  /// @param now_us  when it ended, in microseconds of any clock
  void count_computed(SegmentId segment, std::span<const LiveRow> rows, std::uint64_t busy_ns,
                      std::uint64_t now_us);
  /// The same for cached positions, which come in no segment.
  void count_restored(std::size_t rows, std::uint64_t busy_ns);
  StageStats stats(std::uint64_t now_us) const;

  /// For tests: the first broken invariant of any session.
  std::optional<std::string> broken_invariant() const;
  const std::map<SessionId, HopSession>& all() const { return sessions_; }

 private:
  static ViewResult admit(const Row& row, HopSession& session);
  std::optional<std::string> share(Open open, const HopSession& other);
  Fault fail(SessionId id, SegmentId segment, std::string error);

  StageStats stats_;
  std::shared_ptr<SlotPool> pool_;
  SegmentLog log_;
  std::map<SessionId, HopSession> sessions_;
  /// Closed sessions whose KV is kept.
  std::map<SessionId, HopSession> kept_;
  AppliedPrunes applied_;
  SessionId parted_ = no_session;
};

}  // namespace flowspec
