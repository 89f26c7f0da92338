#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "models/base/aligned_floats.hpp"
#include "models/base/types.hpp"

namespace flowspec {

/// The index of one row of a `KvCache`. The owner of the cache assigns slots; the cache does not.
using Slot = std::uint32_t;

/// Keys and values of one session for a range of layers, addressed by slot. K is stored rotated at
/// its absolute position, so nothing moves when the tree is pruned.
///
/// Every slot has a key and a value per layer and head, padded with zeros to `stride` elements for
/// the vector loops. The keys (or values) of one head are contiguous, so that neighbouring slots
/// are read as a stream. Memory is not cleared: a slot has to be written before it is read.
///
/// With f16 they are rounded when they are written: to the nearest half, ties to even; numbers
/// beyond the range become the largest finite half, 65504. Reading them is exact.
class KvCache {
 public:
  /// A cache without slots, for draft models that need none.
  KvCache() = default;
  /// Throws std::bad_alloc.
  KvCache(std::uint32_t layers, std::uint32_t kv_heads, std::uint32_t head_dim, std::uint32_t slots,
          KvType type = KvType::f32);

  /// Bytes that a cache of this shape takes.
  static std::size_t bytes_for(std::uint32_t layers, std::uint32_t kv_heads, std::uint32_t head_dim,
                               std::uint32_t slots, KvType type = KvType::f32);

  std::uint32_t layers() const { return layers_; }
  std::uint32_t slots() const { return slots_; }
  KvType type() const { return type_; }
  /// head_dim rounded up to whole vectors of 8 elements.
  static constexpr std::uint32_t head_stride(std::uint32_t head_dim) {
    return (head_dim + 7) / 8 * 8;
  }
  std::size_t bytes() const;
  /// Memory is taken page by page, where slots are written: for a cache with far more slots than will be
  /// used, of which huge pages would take all.
  void take_small_pages();
  /// Gives the system back the memory of all slots; what was in them is gone.
  void forget();

  /// Keys and values of a head: slots x stride, as Half if the type is f16, else as float. Layers
  /// are numbered from 0 within the cache's range.
  template <class T>
  const T* keys(std::uint32_t layer, std::uint32_t head) const {
    return rows<T>(layer, 0, head);
  }
  template <class T>
  const T* values(std::uint32_t layer, std::uint32_t head) const {
    return rows<T>(layer, 1, head);
  }

  /// Write one slot's keys or values: kv_heads x any width up to the stride.
  void write_keys(std::uint32_t layer, Slot slot, std::span<const float> heads);
  void write_values(std::uint32_t layer, Slot slot, std::span<const float> heads);

 private:
  std::size_t head_size() const { return std::size_t{slots_} * stride_; }
  /// @param kind  0 for keys, 1 for values.
  template <class T>
  T* rows(std::uint32_t layer, std::size_t kind, std::size_t head) const {
    assert(type_ == (sizeof(T) == sizeof(float) ? KvType::f32 : KvType::f16));
    return reinterpret_cast<T*>(data_.get()) +
           ((2 * std::size_t{layer} + kind) * kv_heads_ + head) * head_size();
  }
  template <class T>
  void write(std::uint32_t layer, std::size_t kind, Slot slot, std::span<const float> heads);

  std::uint32_t layers_ = 0;
  std::uint32_t kv_heads_ = 0;
  std::uint32_t stride_ = 0;
  std::uint32_t slots_ = 0;
  KvType type_ = KvType::f32;
  AlignedFloats data_;
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
