#pragma once
/// Where the draft model's KV of one session's tokens is stored, and the features that its rows
/// read. Plain C++; `DraftTree` keeps it in step with its nodes.
///
/// A row is exact if it was computed from the target's output, not from the draft's own guess of a
/// feature. The exact rows of the committed text are always a prefix of it.

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "messages/types.hpp"
#include "models/kv/slot_pool.hpp"

namespace flowspec {

class DraftKv {
 public:
  static constexpr Slot no_slot = 0xffffffffu;

  /// What belongs to a live node.
  struct Entry {
    /// Slot of the draft model's KV of this token, once it has been computed.
    Slot slot = no_slot;
    bool row_is_exact = false;
    /// The feature that a child's draft row reads: the target's feature of this token, or the
    /// draft's guess of it. Empty if neither is known, or if the draft reads no features.
    std::vector<float> feature;
    bool feature_is_exact = false;
  };

  /// `slots`: KV slots of the draft model that the session may hold, of the pool's. `reads_features`: its
  /// rows need the features of their parents.
  DraftKv(std::shared_ptr<SlotPool> pool, std::uint32_t slots, bool reads_features);
  ~DraftKv();
  DraftKv(DraftKv&&) noexcept = default;
  DraftKv& operator=(DraftKv&&) = delete;

  /// The session may hold so many slots from now on.
  void grow(std::uint32_t slots) { slots_ = std::max(slots_, slots); }

  /// The first `kept` positions are committed already. The rows of the first `equal` of them are
  /// shared with `previous`, as far as they were exact there; null: none are. Features that are no
  /// longer known are taken as empty.
  void begin(Position kept, const DraftKv* previous, Position equal);

  /// Moves the entry of a node to the committed text, where it takes the next position.
  void commit(TreeNodeId id, Entry& entry);
  /// Forgets the features of committed positions that no row will read again.
  void forget_read_features();
  /// Frees the slot of a node that dies.
  void release(Entry& entry);

  /// Gives the node a slot if it has none; false if all are taken. `is_root`: its parent is
  /// committed, so the row will be exact.
  bool take_slot(Entry& entry, bool is_root);
  /// The next committed position whose row can be computed exactly, if there is one.
  std::optional<Position> next_committed_row() const;
  /// Counts that row as computed, and gives it a slot if it has none. False: no slot is free.
  bool take_committed_row();
  /// All committed rows are exact.
  bool committed_rows_done() const { return exact_rows_ == committed_; }

  /// The node was committed before its feature came.
  bool awaits_feature(TreeNodeId id) const { return awaited_.contains(id); }
  /// Stores the target's feature of a node that was committed before its feature came; false for
  /// other nodes.
  bool learn_committed(TreeNodeId id, std::span<const float> feature);
  /// The feature of the position before, on the committed text; empty if not known.
  std::span<const float> feature_before(Position position) const;
  bool knows_feature_before(Position position) const {
    return position > 0 && committed_features_.contains(position - 1);
  }

  bool reads_features() const { return reads_features_; }
  /// Slots that it can still take.
  std::uint32_t free_slots() const;
  /// Slots of the committed positions that have one: a prefix of the positions. Slots beyond the
  /// exact rows hold KV computed from guessed features.
  std::span<const Slot> committed_slots() const { return committed_slots_; }

  /// `held`: number of slots that live nodes hold.
  std::optional<std::string> broken_invariant(std::size_t held) const;

 private:
  std::optional<Slot> take();

  /// Null: moved from.
  std::shared_ptr<SlotPool> pool_;
  std::optional<Slot> last_taken_;
  std::uint32_t slots_;
  /// Shared ones included.
  std::uint32_t held_ = 0;
  bool reads_features_;
  /// Committed positions, how many of them have a slot, and how many rows are exact.
  std::size_t committed_ = 0;
  std::vector<Slot> committed_slots_;
  std::size_t exact_rows_ = 0;
  /// The target's features of committed positions, as far as rows still read them.
  std::map<Position, std::vector<float>> committed_features_;
  /// Committed nodes whose feature has not come yet.
  std::map<TreeNodeId, Position> awaited_;
};

}  // namespace flowspec
