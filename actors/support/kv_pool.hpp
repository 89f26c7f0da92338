#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "actors/support/memory_ledger.hpp"
#include "models/kv/kv_cache.hpp"
#include "models/kv/slot_pool.hpp"

namespace flowspec {

/// How much KV memory a stage, or a draft, may take for all its sessions together.
struct KvBudget {
  /// Slots that the run wants; 0: as many as there is memory for.
  std::uint32_t slots = 0;
  std::uint64_t bytes = std::uint64_t{4} << 30;
  /// Where memory is claimed; empty: it is not.
  std::optional<MemoryLedger> memory = std::nullopt;
  /// Pools of this process that share its memory.
  std::uint32_t pools = 1;
};

/// One KV cache for all sessions, of whose slots each takes as many as it has tokens. Memory is claimed in
/// steps, ahead of the slots that are in it, and given back when no slot is taken. Not thread-safe.
class KvPool {
 public:
  /// Makes a cache of this many slots. Its memory is not to be touched.
  using MakeCache = std::function<std::unique_ptr<KvCache>(std::uint32_t slots)>;

  /// No slots.
  KvPool() : KvPool(KvBudget{.slots = 1}, 0, [](std::uint32_t) { return nullptr; }) {}
  /// @param slot_bytes  of one slot; 0: slots take no memory.
  KvPool(KvBudget budget, std::size_t slot_bytes, const MakeCache& make);

  /// Null if slots take no memory.
  KvCache* cache() { return cache_.get(); }
  const std::shared_ptr<SlotPool>& slots() const { return slots_; }
  std::uint32_t capacity() const { return slots_->capacity(); }
  /// Of the slots that are taken.
  std::uint64_t bytes() const { return std::uint64_t{slots_->used()} * slot_bytes_; }
  std::size_t slot_bytes() const { return slot_bytes_; }

  /// Makes sure that so many more slots can be taken, beside those that others were promised and have not
  /// taken yet. Throws ModelError, with the figures, if the pool is too small for them, or if there is no
  /// memory.
  void reserve(std::uint32_t more, std::uint64_t promised = 0);
  /// To be called when slots were released, and none are promised.
  void released();

 private:
  KvBudget budget_;
  std::size_t slot_bytes_;
  std::shared_ptr<SlotPool> slots_;
  std::unique_ptr<KvCache> cache_;
  std::vector<std::shared_ptr<MemoryLedger::Claim>> claims_;
};

}  // namespace flowspec
