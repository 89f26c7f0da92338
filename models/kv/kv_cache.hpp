#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "models/base/types.hpp"

namespace flowspec {

/// The index of one row of a `KvCache`. The owner of the cache assigns slots; the cache does not.
using Slot = std::uint32_t;

/// Keys and values for a range of layers, addressed by slot. Where and how they are kept is a matter of
/// the back end that made the cache, and computes with it; whoever owns it deals in slots alone. Memory is
/// not cleared: a slot has to be written before it is read.
class KvCache {
 public:
  virtual ~KvCache() = default;

  virtual std::uint32_t layers() const = 0;
  virtual std::uint32_t slots() const = 0;
  /// Of the memory of all slots.
  virtual std::size_t bytes() const = 0;
  /// Memory is to be taken bit by bit, where slots are written: for a cache with far more slots than will
  /// be used.
  virtual void take_memory_as_written() = 0;
  /// Gives the memory of all slots back; what was in them is gone.
  virtual void forget() = 0;
};

/// One row of a segment: its position, and the slots of its context.
///
/// `prefix` holds the slots of the committed positions 0, 1, ...; `tail` holds those of the live
/// path after it and ends with the row's own slot; prefix.size() + tail.size() == position + 1.
/// Rows of several sessions (with other caches) may share a segment. A parent's row may come
/// earlier in the same segment.
struct RowContext {
  KvCache* cache = nullptr;
  Position position = 0;
  Slot slot = 0;
  std::span<const Slot> prefix;
  std::span<const Slot> tail;
};

}  // namespace flowspec
