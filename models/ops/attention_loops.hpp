#pragma once
/// The loops of AttentionKernels. Each file that includes this compiles them for one instruction
/// set and defines FLOWSPEC_TARGET first. A `Row` describes how keys and values are stored: its
/// element type `Value`, how eight elements are loaded as a `Vector` of floats, and how such vectors
/// are computed with.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "models/kernels/vector.hpp"
#include "models/ops/attention_kernels.hpp"

#define FLOWSPEC_PART [[gnu::always_inline]] FLOWSPEC_TARGET inline

namespace flowspec::kernels {
namespace {

using simd::lanes;

/// Eight floats as the compiler knows them, and what the loops do with them.
struct CommonVectors {
  using Vector = simd::Float8;
  FLOWSPEC_PART static Vector load(const float* from) { return simd::load(from); }
  FLOWSPEC_PART static void store(float* to, const Vector& v) { simd::store(to, v); }
  FLOWSPEC_PART static Vector fill(float x) { return simd::fill(x); }
  FLOWSPEC_PART static Vector fma(const Vector& a, const Vector& b, const Vector& c) {
    return simd::fma(a, b, c);
  }
  /// Lane i is the sum of v[i], times `scale`.
  FLOWSPEC_PART static Vector scaled_sums(const Vector (&v)[lanes], float scale) {
    return simd::transposed_sums(v) * simd::fill(scale);
  }
};

template <class Vectors>
struct F32Row : Vectors {
  using Value = float;
};

/// Dot products of eight rows with `heads` queries. Takes as many rows at a time as fit the sums in
/// registers; every loaded part of a row serves all heads.
template <std::size_t heads, class Row>
FLOWSPEC_PART void block_scores(const float* queries, std::size_t dim,
                                const typename Row::Value* const (&rows)[lanes], float scale,
                                float* scores, std::size_t score_stride) {
  constexpr std::size_t at_once = lanes / heads;
  using Vector = typename Row::Vector;
  Vector products[heads][lanes];
#pragma GCC unroll 8
  for (std::size_t first = 0; first < lanes; first += at_once) {
    Vector sums[heads][at_once] = {};
    for (std::size_t d = 0; d < dim; d += lanes) {
      Vector query[heads];
#pragma GCC unroll 8
      for (std::size_t h = 0; h < heads; ++h)
        query[h] = Row::load(queries + h * dim + d);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < at_once; ++i) {
        const Vector part = Row::load(rows[first + i] + d);
#pragma GCC unroll 8
        for (std::size_t h = 0; h < heads; ++h)
          sums[h][i] = Row::fma(query[h], part, sums[h][i]);
      }
    }
#pragma GCC unroll 8
    for (std::size_t h = 0; h < heads; ++h) {
#pragma GCC unroll 8
      for (std::size_t i = 0; i < at_once; ++i)
        products[h][first + i] = sums[h][i];
    }
  }
#pragma GCC unroll 8
  for (std::size_t h = 0; h < heads; ++h)
    Row::store(scores + h * score_stride, Row::scaled_sums(products[h], scale));
}

template <class Row>
FLOWSPEC_TARGET void attention_scores(const QueryGroup& group, const typename Row::Value* keys,
                                      const std::uint32_t* slots, std::size_t count, float scale,
                                      float* scores, std::size_t score_stride) {
  const std::size_t dim = group.dim;
  for (std::size_t p = 0; p < count; p += lanes) {
    const std::size_t block = std::min(lanes, count - p);
    const typename Row::Value* rows[lanes];
    for (std::size_t i = 0; i < lanes; ++i)
      rows[i] = keys + slots[p + std::min(i, block - 1)] * dim;
    const float* queries = group.queries;
    float* to = scores + p;
    std::size_t heads = group.heads;
    for (; heads >= 4; heads -= 4, queries += 4 * dim, to += 4 * score_stride)
      block_scores<4, Row>(queries, dim, rows, scale, to, score_stride);
    if (heads >= 2) {
      block_scores<2, Row>(queries, dim, rows, scale, to, score_stride);
      heads -= 2;
      queries += 2 * dim;
      to += 2 * score_stride;
    }
    if (heads == 1)
      block_scores<1, Row>(queries, dim, rows, scale, to, score_stride);
    for (std::size_t h = 0; h < group.heads; ++h) {
      float* last = scores + h * score_stride + p;
      std::fill(last + block, last + lanes, -std::numeric_limits<float>::infinity());
    }
  }
}

template <class Row>
struct Values {
  const typename Row::Value* rows;
  std::size_t dim;
  const std::uint32_t* slots;
  std::size_t count;
};

// Computes `vectors` * 8 columns for `heads` heads: few enough that the sums stay in registers.
template <std::size_t heads, std::size_t vectors, class Row>
FLOWSPEC_PART void weighted_sum(const float* weights, std::size_t weight_stride,
                                const Values<Row>& values, float* out) {
  using Vector = typename Row::Vector;
  Vector sums[heads][vectors];
#pragma GCC unroll 8
  for (std::size_t h = 0; h < heads; ++h) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v)
      sums[h][v] = Row::load(out + h * values.dim + v * lanes);
  }
  for (std::size_t p = 0; p < values.count; ++p) {
    const typename Row::Value* row = values.rows + values.slots[p] * values.dim;
    Vector parts[vectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v)
      parts[v] = Row::load(row + v * lanes);
#pragma GCC unroll 8
    for (std::size_t h = 0; h < heads; ++h) {
      const Vector weight = Row::fill(weights[h * weight_stride + p]);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < vectors; ++v)
        sums[h][v] = Row::fma(weight, parts[v], sums[h][v]);
    }
  }
#pragma GCC unroll 8
  for (std::size_t h = 0; h < heads; ++h) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v)
      Row::store(out + h * values.dim + v * lanes, sums[h][v]);
  }
}

// Computes as many columns at a time as registers hold, at most `vectors` vectors; then fewer.
template <std::size_t heads, std::size_t vectors, class Row>
FLOWSPEC_PART void weighted_sums(const float* weights, std::size_t weight_stride,
                                 Values<Row> values, float* out, std::size_t first = 0) {
  const typename Row::Value* rows = values.rows;
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

template <class Row>
FLOWSPEC_TARGET void attention_values(const float* weights, std::size_t weight_stride,
                                      std::size_t heads, const typename Row::Value* values,
                                      std::size_t dim, const std::uint32_t* slots,
                                      std::size_t count, float* out) {
  const Values<Row> all{values, dim, slots, count};
  for (; heads >= 4; heads -= 4, weights += 4 * weight_stride, out += 4 * dim)
    weighted_sums<4, 2>(weights, weight_stride, all, out);
  if (heads == 3)
    weighted_sums<3, 4>(weights, weight_stride, all, out);
  else if (heads == 2)
    weighted_sums<2, 4>(weights, weight_stride, all, out);
  else if (heads == 1)
    weighted_sums<1, 8>(weights, weight_stride, all, out);
}

template <class Vectors, class F16Row>
constexpr AttentionKernels make_attention_kernels(std::string_view name) {
  return {name,
          {attention_scores<F32Row<Vectors>>, attention_values<F32Row<Vectors>>},
          {attention_scores<F16Row>, attention_values<F16Row>}};
}

}  // namespace
}  // namespace flowspec::kernels
