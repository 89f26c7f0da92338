#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "models/kv/kv_cache.hpp"

namespace flowspec {

/// Which slots of a `KvCache` are taken. Sessions take single slots as they grow, and share those of a
/// common beginning: each slot counts who refers to it, and is free when nobody does. (A page size of
/// one token, as in SGLang's radix cache: nothing is lost in half-filled pages, and a prefix may end
/// anywhere.) Plain C++, not thread-safe.
///
/// Slots are handed out in blocks, so that the rows of one session lie side by side: one in the block of
/// its last slot if there is room, else in a block that nobody uses, else anywhere.
class SlotPool {
 public:
  static constexpr std::uint32_t block_slots = 16;
  /// More than any session may ask for; for caches that hold nothing.
  static constexpr std::uint32_t unlimited = std::uint32_t{1} << 30;

  /// Of `capacity` slots, none may be taken yet but those below `usable`.
  explicit SlotPool(std::uint32_t capacity, std::uint32_t usable = unlimited);

  /// A slot with one reference; nothing if all usable slots are taken. `near`: the last one that the
  /// session has taken.
  std::optional<Slot> take(std::optional<Slot> near = std::nullopt);
  /// One more reference to a slot that is taken.
  void share(Slot slot);
  /// One less.
  void release(Slot slot);

  std::uint32_t capacity() const { return capacity_; }
  /// Slots from 0 up to this may be taken.
  std::uint32_t usable() const { return usable_; }
  void allow(std::uint32_t usable);
  /// There is no memory for more than the usable slots, until `allow` is called.
  void stop_growing() { is_stopped_ = true; }
  /// Slots that can still be taken, once they are allowed.
  std::uint32_t left() const {
    auto most = is_stopped_ ? usable_ : capacity_;
    return most - std::min(most, used_);
  }
  /// Slots that are taken, each once.
  std::uint32_t used() const { return used_; }
  std::uint32_t references(Slot slot) const;

 private:
  struct Block {
    std::array<std::uint32_t, block_slots> references{};
    std::uint32_t used = 0;
  };

  std::optional<Slot> take_in(std::uint32_t block);
  void file(std::uint32_t block);

  std::uint32_t capacity_;
  std::uint32_t usable_;
  std::uint32_t used_ = 0;
  bool is_stopped_ = false;
  /// Those that have ever been used: beyond are only empty ones.
  std::vector<Block> blocks_;
  std::set<std::uint32_t> empty_;
  /// Neither empty nor full.
  std::set<std::uint32_t> partial_;
};

}  // namespace flowspec
