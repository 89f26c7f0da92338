#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "models/formats/load_type.hpp"
#include "models/formats/tensor_type.hpp"
#include "models/ops/packed/kernels.hpp"

namespace flowspec {

struct TensorInfo;

namespace packed {

/// A weight matrix with the values of the file, or quantised from them, in another order: panels of
/// 16 outputs, one after the other; missing outputs of the last panel are zero. A panel of a
/// quantised type starts with the scales of all its blocks, padded to a cache line, so that
/// everything is aligned:
///
/// F32, F16, BF16  for each input 16 weights
/// Q8_0  block of 32 inputs: 16 float16 scales | 8 groups of 4 inputs x 16 outputs x 4 int8
/// Q4_0  block of 32 inputs: 16 float16 scales | 4 groups of 4 inputs x 16 outputs x 4 bytes; low
///       halves are inputs 4g to 4g+3, high halves those 16 further on, each value plus 8
/// Q4_1  the same, but 16 float16 minimums after the scales
/// Q5_0  as Q8_0, which has the same values: a scale times integers, here from -16 to 15
/// Q5_1  16 float16 scales, 16 float16 minimums | groups as in Q8_0, of integers from 0 to 31
/// Q4_K  block of 256: 16 float16 scales, 16 float16 of the minimums; for each of 8 sub-blocks of
///       32 inputs 16 bytes of scales, then the same of minimums | for two sub-blocks (low and high
///       halves) 8 groups as above
/// Q5_K  the same, then 8 groups of fifth bits: bit s of a byte is for sub-block s
/// Q6_K  block of 256: 16 float16 scales; for each of 16 sub-blocks of 16 inputs 16 int8 scales |
///       32 groups of low bits and 16 of the two upper bits, in the order of the file
class Matrix {
 public:
  static bool takes(TensorType type);
  /// Bytes that the packed tensor takes; its type must be one that `takes` accepts.
  static std::uint64_t bytes_for(const TensorInfo& tensor, LoadType type = LoadType::as_is);

  /// Copies the tensor, of shape {inputs, outputs}; if it gets another type, row by row. Throws
  /// std::bad_alloc.
  explicit Matrix(const TensorInfo& tensor, LoadType type = LoadType::as_is);

  TensorType type() const { return type_; }
  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }
  std::size_t panels() const { return (outputs_ + panel_outputs - 1) / panel_outputs; }
  /// Number of activations that share a scale; 1: activations stay floats.
  std::size_t block() const;

  /// Computes panels first to end - 1 for all rows. `out` points to output 0 of the first row.
  void multiply(const KernelSet& kernels, const Rows& rows, std::size_t first, std::size_t end,
                float* out, std::size_t stride) const;

 private:
  /// Computes whole panels, with many rows.
  void multiply_parts(const TypeTiles& all, const Rows& rows, std::size_t first, std::size_t end,
                      float* out, std::size_t stride) const;
  /// The same with tiles of several panels.
  static void multiply_wide(const TypeTiles& all, const Panels& panels, const Rows& rows,
                            float* out, std::size_t stride);
  static void multiply_panel(Tiles tiles, const std::byte* panel, const Rows& rows, float* out,
                             std::size_t stride);
  /// Computes the last panel if it has missing outputs.
  void multiply_last(Tiles tiles, const Rows& rows, float* out, std::size_t stride) const;
  const std::byte* panel(std::size_t index) const { return panels_.get() + index * panel_bytes_; }

  TensorType type_;
  std::size_t inputs_;
  std::size_t outputs_;
  std::size_t panel_bytes_;
  std::shared_ptr<std::byte[]> panels_;
};

}  // namespace packed
}  // namespace flowspec
