#pragma once
/// Products of quantised panels with NEON. Each file that includes this compiles them for one set of
/// instructions and defines FLOWSPEC_TARGET first. An `Engine` says how 16 inputs of four outputs
/// are multiplied:
///
/// rows            how many rows it multiplies at once: 1 or 2
/// registers       how many vectors a sum takes
/// Small, Full     sums of products: Small of 32 values from -32 to 31 or of 16 up to 63, Full of
///                 any number of int8
/// Weights, X      weights and inputs in the order in which they are multiplied
/// prepare, load   make them
/// clear, add      sums
/// total           the four outputs of each row, as exact integers

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <arm_neon.h>

#include "models/ops/packed/kernels.hpp"
#include "models/ops/packed/panel.hpp"

// See avx2.cpp for why this is not a flag of the file.
#define FLOWSPEC_PART [[gnu::always_inline]] FLOWSPEC_TARGET inline

namespace flowspec::packed {
namespace {

/// Weights of 16 inputs and four outputs: four groups, each of four inputs of every output.
struct Quad {
  int8x16_t groups[4];
};

// From one group of a panel to the next, and from four groups to the next four.
constexpr std::size_t group_bytes = 64;
constexpr std::size_t quad_bytes = 4 * group_bytes;
/// Outputs of a vector of integers or floats.
constexpr std::size_t lanes = 4;
constexpr std::size_t vectors = panel_outputs / lanes;

FLOWSPEC_PART Quad load_quad(const std::byte* from) {
  Quad quad;
#pragma GCC unroll 4
  for (std::size_t g = 0; g < 4; ++g)
    quad.groups[g] = vld1q_s8(reinterpret_cast<const std::int8_t*>(from + group_bytes * g));
  return quad;
}

FLOWSPEC_PART Quad low_halves(const Quad& both) {
  Quad quad;
#pragma GCC unroll 4
  for (std::size_t g = 0; g < 4; ++g)
    quad.groups[g] = vandq_s8(both.groups[g], vdupq_n_s8(15));
  return quad;
}

FLOWSPEC_PART Quad high_halves(const Quad& both) {
  Quad quad;
#pragma GCC unroll 4
  for (std::size_t g = 0; g < 4; ++g)
    quad.groups[g] = vreinterpretq_s8_u8(vshrq_n_u8(vreinterpretq_u8_s8(both.groups[g]), 4));
  return quad;
}

/// The values with more bits from `bits`, which are shifted left, or right if `shift` is negative,
/// and then masked.
FLOWSPEC_PART Quad with_bits(const Quad& values, const Quad& bits, int shift, std::uint8_t mask) {
  Quad quad;
#pragma GCC unroll 4
  for (std::size_t g = 0; g < 4; ++g) {
    const uint8x16_t moved =
        vshlq_u8(vreinterpretq_u8_s8(bits.groups[g]), vdupq_n_s8(static_cast<std::int8_t>(shift)));
    quad.groups[g] =
        vorrq_s8(values.groups[g], vreinterpretq_s8_u8(vandq_u8(moved, vdupq_n_u8(mask))));
  }
  return quad;
}

FLOWSPEC_PART Quad less_32(const Quad& values) {
  Quad quad;
#pragma GCC unroll 4
  for (std::size_t g = 0; g < 4; ++g)
    quad.groups[g] = vsubq_s8(values.groups[g], vdupq_n_s8(32));
  return quad;
}

FLOWSPEC_PART float32x4_t halves(const std::byte* from) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(reinterpret_cast<const std::uint16_t*>(from))));
}

FLOWSPEC_PART uint8x8_t four_bytes(const std::byte* from) {
  std::uint32_t four;
  std::memcpy(&four, from, sizeof four);
  return vreinterpret_u8_u32(vdup_n_u32(four));
}

FLOWSPEC_PART int32x4_t unsigned_bytes(const std::byte* from) {
  return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(four_bytes(from)))));
}

FLOWSPEC_PART int32x4_t signed_bytes(const std::byte* from) {
  return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(four_bytes(from)))));
}

FLOWSPEC_PART float32x4_t term(int32x4_t integers, float32x4_t scales, float row_scale) {
  return vmulq_f32(vcvtq_f32_s32(integers), vmulq_n_f32(scales, row_scale));
}

/// Sums of `count` rows, for as many vectors of outputs at a time as fit in registers.
template <class Engine, std::size_t count, std::size_t sums_at_once = 1>
struct Tiling {
  static constexpr std::size_t units = (count + Engine::rows - 1) / Engine::rows;
  static constexpr std::size_t registers = units * Engine::registers * sums_at_once;
  static constexpr std::size_t width = 4 * registers <= 12 ? 4 : 2 * registers <= 12 ? 2 : 1;
};

template <class Engine, std::size_t units>
FLOWSPEC_PART void load_inputs(const std::int8_t* x, std::size_t inputs, std::size_t count,
                               typename Engine::X (&to)[units]) {
#pragma GCC unroll 8
  for (std::size_t u = 0; u < units; ++u) {
    const std::size_t first = u * Engine::rows;
    const std::size_t last = std::min(first + Engine::rows, count) - 1;
    to[u] = Engine::load(x + first * inputs, x + last * inputs);
  }
}

template <class Engine, class Sum, std::size_t units>
FLOWSPEC_PART void clear_sums(Sum (&sums)[units]) {
#pragma GCC unroll 8
  for (std::size_t u = 0; u < units; ++u)
    Engine::clear(sums[u]);
}

template <class Engine, class Sum, std::size_t units>
FLOWSPEC_PART void add_quad(const Quad& quad, const typename Engine::X (&x)[units],
                            Sum (&sums)[units]) {
  const typename Engine::Weights w = Engine::prepare(quad);
#pragma GCC unroll 8
  for (std::size_t u = 0; u < units; ++u)
    Engine::add(sums[u], w, x[u]);
}

/// The integers of each row; with an odd number of rows and pairs of them the last is there twice.
template <class Engine, class Sum, std::size_t units>
FLOWSPEC_PART void totals_of(const Sum (&sums)[units], int32x4_t (&to)[units * Engine::rows]) {
#pragma GCC unroll 8
  for (std::size_t u = 0; u < units; ++u)
    Engine::total(sums[u], to + u * Engine::rows);
}

template <std::size_t count, std::size_t width>
FLOWSPEC_PART void store(const float32x4_t (&total)[width][count], float* out, std::size_t stride) {
#pragma GCC unroll 8
  for (std::size_t r = 0; r < count; ++r) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < width; ++v)
      vst1q_f32(out + r * stride + v * lanes, total[v][r]);
  }
}

template <class Vector, std::size_t count, std::size_t width>
FLOWSPEC_PART void clear_all(Vector (&all)[width][count]) {
#pragma GCC unroll 4
  for (std::size_t v = 0; v < width; ++v) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < count; ++r)
      all[v][r] = Vector{};
  }
}

/// What a block of 32 inputs adds to a vector of outputs.
template <class Engine, Legacy type, std::size_t count, class Integers>
FLOWSPEC_PART void add_terms(const LegacyPanel<type>& from, const Rows& rows, std::size_t row,
                             std::size_t block, std::size_t vector, const Integers& integers,
                             float32x4_t (&total)[count]) {
  const float32x4_t scales = halves(from.scales(block) + 8 * vector);
#pragma GCC unroll 8
  for (std::size_t r = 0; r < count; ++r) {
    const std::size_t at = (row + r) * from.blocks + block;
    int32x4_t exact = integers[r];
    if constexpr (type == Legacy::q4_0)
      exact = vaddq_s32(exact, vdupq_n_s32(-8 * rows.sums[at]));
    total[r] = vaddq_f32(total[r], term(exact, scales, rows.scales[at]));
    if constexpr (has_minimums(type)) {
      const float32x4_t minimums = halves(from.minimums(block) + 8 * vector);
      total[r] = vaddq_f32(total[r], term(vdupq_n_s32(rows.sums[at]), minimums, rows.scales[at]));
    }
  }
}

/// Blocks of 32 inputs, for vectors of outputs from `first` on.
template <class Engine, Legacy type, std::size_t count>
FLOWSPEC_PART void legacy_columns(const LegacyPanel<type>& from, const Rows& rows, std::size_t row,
                                  std::size_t first, float* out, std::size_t stride) {
  using Sum =
      std::conditional_t<type == Legacy::q8_0, typename Engine::Full, typename Engine::Small>;
  using Shape = Tiling<Engine, count>;
  const std::int8_t* x = rows.values + row * rows.inputs;
  float32x4_t total[Shape::width][count];
  clear_all(total);
  for (std::size_t b = 0; b < from.blocks; ++b, x += 32) {
    typename Engine::X near[Shape::units];
    typename Engine::X far[Shape::units];
    load_inputs<Engine>(x, rows.inputs, count, near);
    load_inputs<Engine>(x + 16, rows.inputs, count, far);
    Sum sums[Shape::width][Shape::units];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < Shape::width; ++v) {
      const std::byte* body = from.body(b) + 16 * (first + v);
      clear_sums<Engine>(sums[v]);
      const Quad quad = load_quad(body);
      if constexpr (has_nibbles(type)) {
        add_quad<Engine>(low_halves(quad), near, sums[v]);
        add_quad<Engine>(high_halves(quad), far, sums[v]);
      } else {
        add_quad<Engine>(quad, near, sums[v]);
        add_quad<Engine>(load_quad(body + quad_bytes), far, sums[v]);
      }
    }
#pragma GCC unroll 4
    for (std::size_t v = 0; v < Shape::width; ++v) {
      int32x4_t integers[Shape::units * Engine::rows];
      totals_of<Engine>(sums[v], integers);
      add_terms<Engine, type, count>(from, rows, row, b, first + v, integers, total[v]);
    }
  }
  store(total, out + lanes * first, stride);
}

template <class Engine, Legacy type, std::size_t count>
FLOWSPEC_TARGET void legacy(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                            std::size_t stride) {
  const LegacyPanel<type> from(panel, rows.inputs);
#pragma GCC unroll 1
  for (std::size_t first = 0; first < vectors; first += Tiling<Engine, count>::width)
    legacy_columns<Engine, type, count>(from, rows, row, first, out, stride);
}

/// sums[v][r] += scale * (values of sub-blocks `sub` and `sub` + 1 . x), for vectors of outputs
/// from `first` on.
template <class Engine, bool has_high_bits, std::size_t count, std::size_t width,
          std::size_t padded>
FLOWSPEC_PART void add_two(const std::byte* front, const std::byte* body, std::size_t sub,
                           std::size_t first, const std::int8_t* x, std::size_t inputs,
                           int32x4_t (&sums)[width][padded]) {
  constexpr std::size_t units = padded / Engine::rows;
  typename Engine::Small near[width][units];
  typename Engine::Small far[width][units];
#pragma GCC unroll 4
  for (std::size_t v = 0; v < width; ++v) {
    clear_sums<Engine>(near[v]);
    clear_sums<Engine>(far[v]);
  }
#pragma GCC unroll 2
  for (std::size_t q = 0; q < 2; ++q) {
    typename Engine::X near_x[units];
    typename Engine::X far_x[units];
    load_inputs<Engine>(x + 32 * sub + 16 * q, inputs, count, near_x);
    load_inputs<Engine>(x + 32 * (sub + 1) + 16 * q, inputs, count, far_x);
#pragma GCC unroll 4
    for (std::size_t v = 0; v < width; ++v) {
      const std::size_t at = quad_bytes * q + 16 * (first + v);
      const Quad both = load_quad(body + 256 * sub + at);
      Quad low = low_halves(both);
      Quad high = high_halves(both);
      if constexpr (has_high_bits) {
        const Quad bits = load_quad(body + 2048 + at);
        low = with_bits(low, bits, 4 - static_cast<int>(sub), 16);
        high = with_bits(high, bits, 3 - static_cast<int>(sub), 16);
      }
      add_quad<Engine>(low, near_x, near[v]);
      add_quad<Engine>(high, far_x, far[v]);
    }
  }
  const std::byte* scales = front + 64 + panel_outputs * sub + lanes * first;
#pragma GCC unroll 4
  for (std::size_t v = 0; v < width; ++v) {
    const int32x4_t near_scale = unsigned_bytes(scales + lanes * v);
    const int32x4_t far_scale = unsigned_bytes(scales + panel_outputs + lanes * v);
    int32x4_t near_totals[padded];
    int32x4_t far_totals[padded];
    totals_of<Engine>(near[v], near_totals);
    totals_of<Engine>(far[v], far_totals);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < padded; ++r) {
      sums[v][r] = vmlaq_s32(sums[v][r], near_totals[r], near_scale);
      sums[v][r] = vmlaq_s32(sums[v][r], far_totals[r], far_scale);
    }
  }
}

/// The minimums of a super-block times the sums of its inputs.
FLOWSPEC_PART int32x4_t minimums(const std::byte* front, std::size_t vector,
                                 const std::int32_t* x_sums) {
  int32x4_t sum = vdupq_n_s32(0);
#pragma GCC unroll 8
  for (std::size_t s = 0; s < 8; ++s) {
    const int32x4_t least = unsigned_bytes(front + 64 + panel_outputs * (8 + s) + lanes * vector);
    sum = vmlaq_n_s32(sum, least, x_sums[2 * s] + x_sums[2 * s + 1]);
  }
  return sum;
}

/// Q4_K and Q5_K.
template <class Engine, bool has_high_bits, std::size_t count>
FLOWSPEC_TARGET void nibbles(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                             std::size_t stride) {
  using Shape = Tiling<Engine, count, 2>;
  const SuperPanel<320, has_high_bits ? 2560 : 2048> from(panel, rows.inputs);
#pragma GCC unroll 1
  for (std::size_t first = 0; first < vectors; first += Shape::width) {
    const std::int8_t* x = rows.values + row * rows.inputs;
    float32x4_t total[Shape::width][count];
    clear_all(total);
    for (std::size_t b = 0; b < from.blocks; ++b, x += 256) {
      const std::byte* front = from.front(b);
      int32x4_t sums[Shape::width][Shape::units * Engine::rows];
      clear_all(sums);
#pragma GCC unroll 1
      for (std::size_t s = 0; s < 8; s += 2)
        add_two<Engine, has_high_bits, count>(front, from.body(b), s, first, x, rows.inputs, sums);
#pragma GCC unroll 4
      for (std::size_t v = 0; v < Shape::width; ++v) {
        const float32x4_t scales = halves(front + 8 * (first + v));
        const float32x4_t min_scales = halves(front + 32 + 8 * (first + v));
#pragma GCC unroll 8
        for (std::size_t r = 0; r < count; ++r) {
          const std::size_t at = (row + r) * from.blocks + b;
          const int32x4_t mins = minimums(front, first + v, rows.sums + 16 * at);
          total[v][r] = vaddq_f32(total[v][r], term(sums[v][r], scales, rows.scales[at]));
          total[v][r] = vsubq_f32(total[v][r], term(mins, min_scales, rows.scales[at]));
        }
      }
    }
    store(total, out + lanes * first, stride);
  }
}

/// Of each 128 values of a Q6_K block, sub-blocks 0 to 3 are low halves and 4 to 7 high halves:
/// adds the products of sub-block t % 4 of half t / 4 and of the one four further on.
template <class Engine, std::size_t count, std::size_t width, std::size_t padded>
FLOWSPEC_PART void add_sixteen(const std::byte* front, const std::byte* body, std::size_t t,
                               std::size_t first, const std::int8_t* x, std::size_t inputs,
                               int32x4_t (&sums)[width][padded]) {
  constexpr std::size_t units = padded / Engine::rows;
  const std::size_t sub = t / 4 * 8 + t % 4;
  const int shift = t % 4 < 2 ? 0 : 2;
  typename Engine::X near_x[units];
  typename Engine::X far_x[units];
  load_inputs<Engine>(x + 16 * sub, inputs, count, near_x);
  load_inputs<Engine>(x + 16 * (sub + 4), inputs, count, far_x);
#pragma GCC unroll 4
  for (std::size_t v = 0; v < width; ++v) {
    const std::size_t at = 16 * (first + v);
    const Quad both = load_quad(body + quad_bytes * t + at);
    const Quad bits = load_quad(body + 2048 + 2 * quad_bytes * (t / 4) + quad_bytes * (t % 2) + at);
    typename Engine::Small near[units];
    typename Engine::Small far[units];
    clear_sums<Engine>(near);
    clear_sums<Engine>(far);
    add_quad<Engine>(less_32(with_bits(low_halves(both), bits, 4 - shift, 48)), near_x, near);
    add_quad<Engine>(less_32(with_bits(high_halves(both), bits, -shift, 48)), far_x, far);
    const std::byte* scales = front + 32 + panel_outputs * sub + lanes * (first + v);
    const int32x4_t near_scale = signed_bytes(scales);
    const int32x4_t far_scale = signed_bytes(scales + 4 * panel_outputs);
    int32x4_t near_totals[padded];
    int32x4_t far_totals[padded];
    totals_of<Engine>(near, near_totals);
    totals_of<Engine>(far, far_totals);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < padded; ++r) {
      sums[v][r] = vmlaq_s32(sums[v][r], near_totals[r], near_scale);
      sums[v][r] = vmlaq_s32(sums[v][r], far_totals[r], far_scale);
    }
  }
}

template <class Engine, std::size_t count>
FLOWSPEC_TARGET void q6_k(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                          std::size_t stride) {
  using Shape = Tiling<Engine, count, 2>;
  const SuperPanel<288, 3072> from(panel, rows.inputs);
#pragma GCC unroll 1
  for (std::size_t first = 0; first < vectors; first += Shape::width) {
    const std::int8_t* x = rows.values + row * rows.inputs;
    float32x4_t total[Shape::width][count];
    clear_all(total);
    for (std::size_t b = 0; b < from.blocks; ++b, x += 256) {
      int32x4_t sums[Shape::width][Shape::units * Engine::rows];
      clear_all(sums);
#pragma GCC unroll 1
      for (std::size_t t = 0; t < 8; ++t)
        add_sixteen<Engine, count>(from.front(b), from.body(b), t, first, x, rows.inputs, sums);
#pragma GCC unroll 4
      for (std::size_t v = 0; v < Shape::width; ++v) {
        const float32x4_t scales = halves(from.front(b) + 8 * (first + v));
#pragma GCC unroll 8
        for (std::size_t r = 0; r < count; ++r) {
          const float row_scale = rows.scales[(row + r) * from.blocks + b];
          total[v][r] = vaddq_f32(total[v][r], term(sums[v][r], scales, row_scale));
        }
      }
    }
    store(total, out + lanes * first, stride);
  }
}

}  // namespace
}  // namespace flowspec::packed
