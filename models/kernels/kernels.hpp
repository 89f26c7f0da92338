#pragma once
/// The inner loops of the ops for which oneDNN has no primitive. Each is compiled for SSE2 and AVX2,
/// or for NEON, and gives the same bits on all; the order of every sum depends only on indices.

#include <cstddef>
#include <cstdint>

namespace flowspec {
enum class Half : std::uint16_t;
}

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

/// Turns scores into e^(score - largest score), in place, and returns their sum.
float attention_weights(float* scores, std::size_t count);

/// y[i] = x[i] as a half: to nearest, ties to even; beyond the range, the largest finite half.
void to_half(const float* x, std::size_t n, Half* y);

/// Rotates pairs (x[i * step], x[i * step + distance]) by the angle with cosine c[i] and sine s[i].
void rotate(const float* x, const float* c, const float* s, std::size_t pairs, std::size_t step,
            std::size_t distance, float* out);

}  // namespace flowspec::kernels
