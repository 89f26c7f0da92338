#include "models/ops/kernels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "models/ops/clones.hpp"
#include "models/ops/vector.hpp"

namespace flowspec::kernels {
namespace {

using simd::fill;
using simd::Float8;
using simd::lanes;
using simd::load;
using simd::store;

constexpr float lowest = -std::numeric_limits<float>::infinity();

struct Values {
  const float* rows;
  std::size_t dim;
  const std::uint32_t* slots;
  std::size_t count;
};

// `vectors` * 8 columns of attention_values for `heads` heads; few enough that the sums stay in
// registers.
template <std::size_t heads, std::size_t vectors>
FLOWSPEC_INLINE void weighted_sum(const float* weights, std::size_t weight_stride,
                                  const Values& values, float* out) {
  Float8 sums[heads][vectors];
#pragma GCC unroll 8
  for (std::size_t h = 0; h < heads; ++h) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v) {
      sums[h][v] = load(out + h * values.dim + v * lanes);
    }
  }
  for (std::size_t p = 0; p < values.count; ++p) {
    const float* row = values.rows + values.slots[p] * values.dim;
    Float8 parts[vectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v) {
      parts[v] = load(row + v * lanes);
    }
#pragma GCC unroll 8
    for (std::size_t h = 0; h < heads; ++h) {
      const Float8 weight = fill(weights[h * weight_stride + p]);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < vectors; ++v) {
        sums[h][v] = simd::fma(weight, parts[v], sums[h][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t h = 0; h < heads; ++h) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v) {
      store(out + h * values.dim + v * lanes, sums[h][v]);
    }
  }
}

// As many columns at a time as registers hold, which is at most `vectors` vectors, then fewer.
template <std::size_t heads, std::size_t vectors>
FLOWSPEC_INLINE void weighted_sums(const float* weights, std::size_t weight_stride, Values values,
                                   float* out, std::size_t first = 0) {
  const float* rows = values.rows;
  std::size_t d = first;
  for (; d + vectors * lanes <= values.dim; d += vectors * lanes) {
    values.rows = rows + d;
    weighted_sum<heads, vectors>(weights, weight_stride, values, out + d);
  }
  if constexpr (vectors > 1) {
    values.rows = rows;
    weighted_sums<heads, vectors / 2>(weights, weight_stride, values, out, d);
  }
}

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
  for (; i < n; ++i) {
    rest += x[i] * x[i];
  }
  return simd::sum(sums[0] + sums[1]) + rest;
}

FLOWSPEC_CLONES
void scale(const float* x, float scale, const float* weight, std::size_t n, float* out) {
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = x[i] * scale * weight[i];
  }
}

FLOWSPEC_CLONES
void add(float* x, const float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    x[i] += y[i];
  }
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
  for (; i + lanes <= n; i += lanes) {
    store(y + i, simd::exp(load(x + i)));
  }
  if (i < n) {
    float last[lanes] = {};
    std::copy(x + i, x + n, last);
    store(last, simd::exp(load(last)));
    std::copy(last, last + (n - i), y + i);
  }
}

FLOWSPEC_FMA_CLONES
void attention_scores(const QueryGroup& group, const float* keys, const std::uint32_t* slots,
                      std::size_t count, float scale, float* scores, std::size_t score_stride) {
  for (std::size_t p = 0; p < count; p += lanes) {
    const std::size_t block = std::min(lanes, count - p);
    const float* rows[lanes];
    for (std::size_t i = 0; i < lanes; ++i) {
      rows[i] = keys + slots[p + std::min(i, block - 1)] * group.dim;
    }
    for (std::size_t h = 0; h < group.heads; ++h) {
      const float* q = group.queries + h * group.dim;
      float* to = scores + h * score_stride + p;
      Float8 products[lanes] = {};
      for (std::size_t d = 0; d < group.dim; d += lanes) {
        const Float8 part = load(q + d);
#pragma GCC unroll 8
        for (std::size_t i = 0; i < lanes; ++i) {
          products[i] = simd::fma(part, load(rows[i] + d), products[i]);
        }
      }
      store(to, simd::transposed_sums(products) * fill(scale));
      std::fill(to + block, to + lanes, lowest);
    }
  }
}

FLOWSPEC_CLONES
float attention_weights(float* scores, std::size_t count) {
  Float8 largest = fill(lowest);
  for (std::size_t p = 0; p < count; p += lanes) {
    largest = simd::max(load(scores + p), largest);
  }
  float top = largest[0];
  for (std::size_t i = 1; i < lanes; ++i) {
    top = std::max(top, largest[i]);
  }
  Float8 sums = {};
  for (std::size_t p = 0; p < count; p += lanes) {
    const Float8 weights = simd::exp(load(scores + p) - fill(top));
    store(scores + p, weights);
    sums += weights;
  }
  return simd::sum(sums);
}

FLOWSPEC_FMA_CLONES
void attention_values(const float* weights, std::size_t weight_stride, std::size_t heads,
                      const float* values, std::size_t dim, const std::uint32_t* slots,
                      std::size_t count, float* out) {
  const Values all{values, dim, slots, count};
  for (; heads >= 4; heads -= 4, weights += 4 * weight_stride, out += 4 * dim) {
    weighted_sums<4, 2>(weights, weight_stride, all, out);
  }
  if (heads == 3) {
    weighted_sums<3, 4>(weights, weight_stride, all, out);
  } else if (heads == 2) {
    weighted_sums<2, 4>(weights, weight_stride, all, out);
  } else if (heads == 1) {
    weighted_sums<1, 8>(weights, weight_stride, all, out);
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
