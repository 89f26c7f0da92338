#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "models/base/aligned_floats.hpp"

namespace flowspec::packed {

/// A view of rows of activations. For float weights only `floats` is set. Quantised weights are
/// multiplied with integers from -127 to 127, with one scale for each block of a row.
struct Rows {
  /// rows x inputs
  const float* floats = nullptr;
  /// rows x inputs
  const std::int8_t* values = nullptr;
  /// rows x (inputs / block)
  const float* scales = nullptr;
  /// The sum of every `sum_block` values: rows x (inputs / sum_block)
  const std::int32_t* sums = nullptr;
  /// The sum of every 32 values, if `block` is 256: rows x (inputs / 32)
  const std::int16_t* sums_of_32 = nullptr;
  std::size_t count = 0;
  std::size_t inputs = 0;
  /// Values that share a scale; 1 for floats.
  std::size_t block = 1;
  std::size_t sum_block = 1;

  /// Some of the rows.
  Rows part(std::size_t first, std::size_t part_count) const;
};

/// Memory for the integers of one activation matrix; it only grows.
///
/// A block's scale is the largest magnitude in it over 127; the values are rounded to the nearest
/// integer, ties to even. A row's result depends only on the row and is the same on every
/// instruction set. A block with an infinity or NaN gets a NaN scale, which makes every output of
/// its row NaN. A block whose magnitudes are all below 1e-30 counts as zero.
class RowBuffer {
 public:
  /// @param block  values that share a scale: 32, or 256 with sums for every 16.
  /// @param threads  share the rows, if these have many values.
  /// The view is valid until the next call.
  Rows quantise(std::span<const float> in, std::size_t count, std::size_t inputs, std::size_t block,
                unsigned threads = 1);

 private:
  /// On a cache line, so that no load of a few values reaches over its end.
  template <class T>
  class Memory {
   public:
    /// Forgets what was there if it has to grow.
    T* grow(std::size_t count) {
      const std::size_t floats = (count * sizeof(T) + sizeof(float) - 1) / sizeof(float);
      if (floats > floats_) {
        memory_ = allocate_floats(floats);
        floats_ = floats;
      }
      return reinterpret_cast<T*>(memory_.get());
    }

   private:
    AlignedFloats memory_;
    std::size_t floats_ = 0;
  };

  Memory<std::int8_t> values_;
  Memory<float> scales_;
  Memory<std::int32_t> sums_;
  Memory<std::int16_t> sums_of_32_;
};

}  // namespace flowspec::packed
