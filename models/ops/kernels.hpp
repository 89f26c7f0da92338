#pragma once
/// The inner loops of the ops that oneDNN has no primitive for. Each is compiled for SSE2 and AVX2
/// and gives the same bits on both; the order of every sum depends on indices alone.

#include <cstddef>
#include <cstdint>

namespace flowspec::kernels {

/// Length of an array of scores for `count` positions: whole vectors.
constexpr std::size_t padded(std::size_t count) {
  return (count + 7) / 8 * 8;
}

/// Sum of x[i]^2.
float sum_of_squares(const float* x, std::size_t n);

/// out[i] = x[i] * scale * weight[i]
void scale(const float* x, float scale, const float* weight, std::size_t n, float* out);

/// x[i] += y[i]
void add(float* x, const float* y, std::size_t n);

/// out[i] = gate[i] / (1 + e^-gate[i]) * up[i]
void swiglu(const float* gate, const float* up, std::size_t n, float* out);

/// y[i] = e^x[i]; see simd::exp for range and error.
void exp(const float* x, std::size_t n, float* y);

/// Query heads that share a key and value head.
struct QueryGroup {
  const float* queries = nullptr;
  std::size_t heads = 0;
  /// Floats from a head's query to the next one's; a multiple of 8.
  std::size_t dim = 0;
};

/// For each head h: scores[h * score_stride + p] = scale * (query h . row slots[p] of keys) for
/// p < count; the rest of the last vector is -inf.
/// @param keys    the head's part of row 0; the rows are `dim` floats apart.
/// @param scores  padded(count) floats for each head.
void attention_scores(const QueryGroup& group, const float* keys, const std::uint32_t* slots,
                      std::size_t count, float scale, float* scores, std::size_t score_stride);

/// Turns scores into e^(score - largest score), in place, and returns their sum.
float attention_weights(float* scores, std::size_t count);

/// For each of `heads` heads h: out[h] += sum over p of weights[h][p] * row slots[p] of values,
/// added one by one in the order of p. Rows of values and of `out` are `dim` floats, a multiple of
/// 8; those of weights `weight_stride`.
void attention_values(const float* weights, std::size_t weight_stride, std::size_t heads,
                      const float* values, std::size_t dim, const std::uint32_t* slots,
                      std::size_t count, float* out);

/// Rotates pairs (x[i * step], x[i * step + distance]) by the angle with cosine c[i] and sine s[i].
void rotate(const float* x, const float* c, const float* s, std::size_t pairs, std::size_t step,
            std::size_t distance, float* out);

}  // namespace flowspec::kernels
