#pragma once

#include <cstddef>

#include "models/ops/bf16/family.hpp"

namespace flowspec::bf16 {

/// The most rows that `multiply_few_rows` takes.
inline constexpr std::size_t most_few_rows = 4;

/// Whether this CPU can run `multiply_few_rows`.
bool can_multiply_few_rows();

/// The sums that `Form::amx` defines, for a few rows, which wait for the weights anyway: oneDNN's kernels
/// read them at three quarters of the memory's rate, this one prefetches. It is a product's choice
/// (models/ops/bf16/product), after it has seen that the bits are the same.
///
/// @param rows         1 to most_few_rows
/// @param activations  rows x inputs
/// @param packed       a tile of 128 outputs in oneDNN's layout BA16a64b2a: for each 64 outputs, for
///                     each pair of inputs, the pairs of weights of all these outputs.
/// @param out          rows x 128
void multiply_few_rows(std::size_t rows, std::size_t inputs, const Bits* activations,
                       const void* packed, float* out);

}  // namespace flowspec::bf16
