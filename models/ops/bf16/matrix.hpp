#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/base/aligned_floats.hpp"
#include "models/ops/bf16/product.hpp"

namespace flowspec {
struct TensorInfo;
}  // namespace flowspec

namespace flowspec::bf16 {

/// Rows of activations, rounded to bfloat16: for each block of inputs all rows, one after the other, and
/// zeros where oneDNN computes more rows, or more inputs, than there are.
struct Rows {
  const Bits* values = nullptr;
  std::size_t count = 0;
  std::size_t padded = 0;
};

/// Memory for the activations of one product; it only grows.
class RowBuffer {
 public:
  /// `in`: count x inputs. The view is valid until the next call.
  Rows round(Form form, std::span<const float> in, std::size_t count, std::size_t inputs,
             unsigned threads);

 private:
  std::vector<Bits> values_;
};

/// A BF16 weight matrix in tiles of 128 outputs, packed once for all numbers of rows. Several matrices
/// with the same inputs are stacked into one: the outputs of the first come first. The packed weights
/// do not change, so any number of threads may multiply by them.
class Matrix {
 public:
  /// Packs the weights, a tile at a time. Throws ModelError if oneDNN does not compute `form` with this
  /// number of inputs (see `Product::get`), and std::bad_alloc.
  /// @param parts  matrices of shape {inputs, outputs}, of the type BF16.
  Matrix(Form form, std::span<const TensorInfo* const> parts);

  Form form() const { return form_; }
  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }
  std::size_t tiles() const { return (outputs_ + tile_outputs - 1) / tile_outputs; }

  /// Computes tiles first to end - 1 for all rows. `out` points to output 0 of the first row.
  void multiply(const Rows& rows, std::size_t first, std::size_t end, float* out,
                std::size_t stride) const;

 private:
  const std::byte* tile(std::size_t index) const {
    return reinterpret_cast<const std::byte*>(weights_.get()) + index * tile_bytes_;
  }

  Form form_;
  std::size_t inputs_ = 0;
  std::size_t outputs_ = 0;
  /// One for each block of inputs.
  std::vector<const Product*> products_;
  std::size_t tile_bytes_ = 0;
  AlignedFloats weights_;
};

/// Why this process cannot multiply by a BF16 matrix with so many inputs as its form defines; empty if it
/// can.
std::string lack_for(std::size_t inputs);

}  // namespace flowspec::bf16
