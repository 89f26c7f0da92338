#include "models/kernels/kernels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "models/kernels/clones.hpp"
#include "models/kernels/half.hpp"

namespace flowspec::kernels {
namespace {

using simd::fill;
using simd::Float8;
using simd::lanes;
using simd::load;
using simd::store;

constexpr float lowest = -std::numeric_limits<float>::infinity();

}  // namespace

FLOWSPEC_CLONES
float sum_of_squares(const float* x, std::size_t n) {
  Float8 sums[2] = {};
  std::size_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    for (std::size_t v = 0; v < 2; ++v) {
      const Float8 part = load(x + i + v * lanes);
      sums[v] += part * part;
    }
  }
  float rest = 0;
  for (; i < n; ++i)
    rest += x[i] * x[i];
  return simd::sum(sums[0] + sums[1]) + rest;
}

FLOWSPEC_CLONES
void scale(const float* x, float scale, const float* weight, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; ++i)
    out[i] = x[i] * scale * weight[i];
}

FLOWSPEC_CLONES
void add(float* x, const float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    x[i] += y[i];
}

FLOWSPEC_CLONES
void swiglu(const float* gate, const float* up, std::size_t n, float* out) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const Float8 g = load(gate + i);
    store(out + i, g / (fill(1) + simd::exp(-g)) * load(up + i));
  }
  if (i < n) {
    float last[2][lanes] = {};
    std::copy(gate + i, gate + n, last[0]);
    std::copy(up + i, up + n, last[1]);
    const Float8 g = load(last[0]);
    store(last[0], g / (fill(1) + simd::exp(-g)) * load(last[1]));
    std::copy(last[0], last[0] + (n - i), out + i);
  }
}

FLOWSPEC_CLONES
void exp(const float* x, std::size_t n, float* y) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    store(y + i, simd::exp(load(x + i)));
  if (i < n) {
    float last[lanes] = {};
    std::copy(x + i, x + n, last);
    store(last, simd::exp(load(last)));
    std::copy(last, last + (n - i), y + i);
  }
}

FLOWSPEC_CLONES
float attention_weights(float* scores, std::size_t count) {
  Float8 largest = fill(lowest);
  for (std::size_t p = 0; p < count; p += lanes)
    largest = simd::max(load(scores + p), largest);
  float top = largest[0];
  for (std::size_t i = 1; i < lanes; ++i)
    top = std::max(top, largest[i]);
  Float8 sums = {};
  for (std::size_t p = 0; p < count; p += lanes) {
    const Float8 weights = simd::exp(load(scores + p) - fill(top));
    store(scores + p, weights);
    sums += weights;
  }
  return simd::sum(sums);
}

FLOWSPEC_CLONES
void to_half(const float* x, std::size_t n, Half* y) {
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    store(y + i, load(x + i));
  if (i < n) {
    float last[lanes] = {};
    Half halves[lanes] = {};
    std::copy(x + i, x + n, last);
    store(halves, load(last));
    std::copy(halves, halves + (n - i), y + i);
  }
}

FLOWSPEC_CLONES
void rotate(const float* x, const float* c, const float* s, std::size_t pairs, std::size_t step,
            std::size_t distance, float* out) {
  for (std::size_t i = 0; i < pairs; ++i) {
    const float a = x[i * step];
    const float b = x[i * step + distance];
    out[i * step] = a * c[i] - b * s[i];
    out[i * step + distance] = a * s[i] + b * c[i];
  }
}

}  // namespace flowspec::kernels
