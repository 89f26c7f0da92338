#pragma once
/// The inner loops of attention. They read keys and values as they are stored, and expand them to
/// floats in registers. All implementations give the same bits: a dot product adds its components
/// one by one with fused multiply-add, as eight sums side by side; a weighted sum of values adds
/// the positions in order.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "models/kernels/half.hpp"

namespace flowspec::kernels {

/// Query heads that share a key and value head.
struct QueryGroup {
  const float* queries = nullptr;
  std::size_t heads = 0;
  /// Floats from a head's query to the next one's; a multiple of 8.
  std::size_t dim = 0;
};

/// @tparam T  float or Half.
template <class T>
struct AttentionLoops {
  /// For each head h: scores[h * score_stride + p] = scale * (query h . row slots[p] of keys) for
  /// p < count; the rest of the last vector is -inf.
  /// @param keys    the head's part of row 0; the rows are `dim` elements apart.
  /// @param scores  padded(count) floats for each head.
  void (*scores)(const QueryGroup& group, const T* keys, const std::uint32_t* slots,
                 std::size_t count, float scale, float* scores, std::size_t score_stride);

  /// For each of `heads` heads h: out[h] += sum over p of weights[h][p] * row slots[p] of values,
  /// added one by one in the order of p. Rows of values and of `out` have `dim` elements, a
  /// multiple of 8; those of weights `weight_stride`.
  void (*values)(const float* weights, std::size_t weight_stride, std::size_t heads,
                 const T* values, std::size_t dim, const std::uint32_t* slots, std::size_t count,
                 float* out);
};

struct AttentionKernels {
  /// For instance "f16c".
  std::string_view name;
  AttentionLoops<float> f32;
  AttentionLoops<Half> f16;

  const AttentionLoops<float>& loops_for(const float* /*rows*/) const { return f32; }
  const AttentionLoops<Half>& loops_for(const Half* /*rows*/) const { return f16; }
};

/// Kernels that this machine can run, the fastest first; the last is plain C++.
std::span<const AttentionKernels* const> available_attention_kernels();

// One file each; null if the machine cannot run it.
const AttentionKernels* plain_attention_kernels();
const AttentionKernels* f16c_attention_kernels();
const AttentionKernels* neon_attention_kernels();

}  // namespace flowspec::kernels
