#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "models/aligned_floats.hpp"
#include "models/types.hpp"

namespace flowspec {

/// Names one row of a `KvCache`. The owner of the cache hands slots out; the cache does not.
using Slot = std::uint32_t;

/// Keys and values of one session for a range of layers, float32, addressed by slot. K is stored
/// rotated at its absolute position, so nothing moves when the tree is pruned.
///
/// Every slot has a key and a value per layer and head, padded with zeros to `stride` floats for
/// the vector loops. Those of one head lie together, so that neighbouring slots are read as a
/// stream. Memory is not cleared: a slot has to be written before it is read.
class KvCache {
 public:
  /// A cache without slots, for draft models that keep nothing.
  KvCache() = default;
  /// Throws std::bad_alloc.
  KvCache(std::uint32_t layers, std::uint32_t kv_heads, std::uint32_t head_dim,
          std::uint32_t slots);

  /// Bytes that a cache of this shape takes.
  static std::size_t bytes_for(std::uint32_t layers, std::uint32_t kv_heads, std::uint32_t head_dim,
                               std::uint32_t slots);

  std::uint32_t layers() const { return layers_; }
  std::uint32_t slots() const { return slots_; }
  /// Floats from one slot to the next.
  std::uint32_t stride() const { return stride_; }
  /// head_dim rounded up to whole vectors of 8 floats.
  static constexpr std::uint32_t head_stride(std::uint32_t head_dim) {
    return (head_dim + 7) / 8 * 8;
  }
  std::size_t bytes() const;

  /// Keys and values of a head: slots x stride. Layers count from 0 within the cache's range.
  const float* keys(std::uint32_t layer, std::uint32_t head) const {
    return plane(layer, 0) + head * head_size();
  }
  const float* values(std::uint32_t layer, std::uint32_t head) const {
    return plane(layer, 1) + head * head_size();
  }

  /// One slot's key and value of head 0; the next head's come `head_size()` floats behind.
  float* key(std::uint32_t layer, Slot slot);
  float* value(std::uint32_t layer, Slot slot);
  std::size_t head_size() const { return std::size_t{slots_} * stride_; }

 private:
  float* plane(std::uint32_t layer, std::size_t kind) const {
    return data_.get() + (2 * std::size_t{layer} + kind) * kv_heads_ * head_size();
  }

  std::uint32_t layers_ = 0;
  std::uint32_t kv_heads_ = 0;
  std::uint32_t stride_ = 0;
  std::uint32_t slots_ = 0;
  AlignedFloats data_;
};

/// One row of a segment: where it stands and where its context lies.
///
/// `prefix` holds the slots of the committed positions 0, 1, ..., `tail` those of the live path
/// after it and ends with the row's own slot; prefix.size() + tail.size() == position + 1. Rows of
/// several sessions (with other caches) may share a segment. A parent's row may come earlier in the
/// same segment.
struct RowContext {
  KvCache* cache = nullptr;
  Position position = 0;
  Slot slot = 0;
  std::span<const Slot> prefix;
  std::span<const Slot> tail;
};

}  // namespace flowspec
