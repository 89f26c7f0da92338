#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/ops/bf16/family.hpp"

namespace flowspec::bf16 {

/// Outputs of one call.
inline constexpr std::size_t tile_outputs = 128;

/// A product of rows of activations with a tile of weights, by oneDNN and on the calling thread. There
/// is one for each number of inputs; it lives as long as the process. Thread-safe.
class Product {
 public:
  /// @param inputs  a multiple of `input_step`, and no more than a block has (`block_inputs`).
  /// The first call for a number of inputs makes the primitives and tests them; throws ModelError, with
  /// a reason, here and in later calls, if oneDNN does not compute what `form` defines, or does so by
  /// a kernel that is not known.
  static const Product& get(Form form, std::size_t inputs);

  ~Product();
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;

  std::size_t inputs() const { return inputs_; }
  /// oneDNN's name of what multiplies, for instance "brg:avx512_core_amx_bf16".
  const std::string& kernel() const;
  /// Of a packed tile; a multiple of 64.
  std::size_t weight_bytes() const;

  /// @param weights  tile_outputs x inputs, those of one output after the other's.
  /// @param packed   weight_bytes() bytes, on a cache line.
  void pack(const Bits* weights, void* packed) const;

  /// The most rows that are multiplied without oneDNN, with the same bits; 0: none. See few_rows.hpp.
  std::size_t few_rows() const;

  /// @param rows         one of row_counts(form), or at most few_rows().
  /// @param activations  rows x inputs
  /// @param out          rows x tile_outputs
  void multiply(std::size_t rows, const Bits* activations, const void* packed, float* out) const;

 private:
  struct State;
  Product(Form form, std::size_t inputs);
  void test(Form form) const;
  bool few_rows_have_same_bits() const;

  std::size_t inputs_;
  std::unique_ptr<State> state_;
};

}  // namespace flowspec::bf16
