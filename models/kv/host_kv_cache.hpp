#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "models/base/aligned_floats.hpp"
#include "models/base/types.hpp"
#include "models/kv/kv_cache.hpp"

namespace flowspec {

/// Keys and values in this machine's memory. K is stored rotated at its absolute position, so nothing moves
/// when the tree is pruned.
///
/// Every slot has a key and a value per layer and head, padded with zeros to `stride` elements for
/// the vector loops. The keys (or values) of one head are contiguous, so that neighbouring slots
/// are read as a stream.
///
/// With f16 they are rounded when they are written: to the nearest half, ties to even; numbers
/// beyond the range become the largest finite half, 65504. Reading them is exact.
class HostKvCache final : public KvCache {
 public:
  /// Throws std::bad_alloc.
  HostKvCache(std::uint32_t layers, std::uint32_t kv_heads, std::uint32_t head_dim,
              std::uint32_t slots, KvType type = KvType::f32);

  /// Bytes that a cache of this shape takes.
  static std::size_t bytes_for(std::uint32_t layers, std::uint32_t kv_heads, std::uint32_t head_dim,
                               std::uint32_t slots, KvType type = KvType::f32);

  std::uint32_t layers() const override { return layers_; }
  std::uint32_t slots() const override { return slots_; }
  KvType type() const { return type_; }
  /// head_dim rounded up to whole vectors of 8 elements.
  static constexpr std::uint32_t head_stride(std::uint32_t head_dim) {
    return (head_dim + 7) / 8 * 8;
  }
  std::size_t bytes() const override;
  /// Page by page: huge pages would take all of it.
  void take_memory_as_written() override;
  void forget() override;

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

/// Where a row's keys and values are, for who computes it on this machine.
inline HostKvCache& host_cache(const RowContext& row) {
  assert(dynamic_cast<HostKvCache*>(row.cache) != nullptr);
  return static_cast<HostKvCache&>(*row.cache);
}

}  // namespace flowspec
