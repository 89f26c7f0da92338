// K-quants with AVX2. The values are not negative, so maddubs takes them directly; a sub-block's
// 16-bit pair sums are multiplied by its scale while they are widened.
//
// Spreading four activations over a register costs as much as a product. Q4_K, whose 16-bit sums
// have space for a whole sub-block, keeps such sums of all 16 outputs and spreads once for them.
// The others widen too often for that: they keep 32-bit sums of 8 outputs, and the unpacked values
// of a few groups, which serve more rows.
#include "models/ops/packed/kernels.hpp"

#if defined(__x86_64__)

#include "models/ops/packed/avx2_parts.hpp"
#include "models/ops/packed/panel.hpp"

// See avx2.cpp for why this is not a flag of the file.
#define FLOWSPEC_TARGET __attribute__((target("avx2,f16c")))
#define FLOWSPEC_PART [[gnu::always_inline]] FLOWSPEC_TARGET inline

namespace flowspec::packed {
namespace {

using namespace avx2;

/// The bytes of 8 outputs, each twice as 16 bits.
template <bool is_signed>
FLOWSPEC_PART __m256i twice(const std::byte* bytes) {
  const __m128i once = load8(bytes);
  const __m128i both = _mm_unpacklo_epi8(once, once);
  return is_signed ? _mm256_cvtepi8_epi16(both) : _mm256_cvtepu8_epi16(both);
}

template <std::size_t count>
FLOWSPEC_PART void clear(__m256i (&sums)[count]) {
  for (std::size_t r = 0; r < count; ++r)
    sums[r] = _mm256_setzero_si256();
}

template <std::size_t count>
FLOWSPEC_PART void store(const __m256 (&total)[2][count], float* out, std::size_t stride) {
  for (std::size_t r = 0; r < count; ++r) {
    _mm256_storeu_ps(out + r * stride, total[0][r]);
    _mm256_storeu_ps(out + r * stride + half, total[1][r]);
  }
}

/// sums += scale * (values of a sub-block of 32 . x), for all outputs.
template <class Values, std::size_t count>
FLOWSPEC_PART void add_sub(const Values& values, const std::byte* scales, const std::int8_t* x,
                           std::size_t inputs, __m256i (&sums)[2][count]) {
  __m256i dots[2][count];
  clear(dots[0]);
  clear(dots[1]);
#pragma GCC unroll 2
  for (std::size_t g = 0; g < 8; ++g) {
    const std::int8_t* fours = hidden(x + 4 * g);
    const __m256i low = values(64 * g);
    const __m256i high = values(64 * g + 32);
    for (std::size_t r = 0; r < count; ++r) {
      const __m256i four = spread4(fours + r * inputs);
      dots[0][r] = _mm256_add_epi16(dots[0][r], _mm256_maddubs_epi16(low, four));
      dots[1][r] = _mm256_add_epi16(dots[1][r], _mm256_maddubs_epi16(high, four));
    }
  }
  for (std::size_t h = 0; h < 2; ++h) {
    const __m256i scale = twice<false>(scales + half * h);
    for (std::size_t r = 0; r < count; ++r)
      sums[h][r] = _mm256_add_epi32(sums[h][r], _mm256_madd_epi16(dots[h][r], scale));
  }
}

/// sums += scale * (values of a sub-block of 4 * `groups` . x), for 8 outputs. 16-bit sums have
/// space for the products of `run` groups.
template <std::size_t groups, std::size_t run, bool is_signed, class Values, std::size_t count>
FLOWSPEC_PART void add_sub(const Values& values, const std::byte* scales, const std::int8_t* x,
                           std::size_t inputs, __m256i (&sums)[count]) {
  const __m256i scale = twice<is_signed>(scales);
#pragma GCC unroll 1
  for (std::size_t first = 0; first < groups; first += run) {
    const std::int8_t* fours = hidden(x + 4 * first);
    __m256i w[run];
    for (std::size_t g = 0; g < run; ++g)
      w[g] = values(64 * (first + g));
    for (std::size_t r = 0; r < count; ++r, fours += inputs) {
      __m256i dots = _mm256_maddubs_epi16(w[0], spread4(fours));
      for (std::size_t g = 1; g < run; ++g)
        dots = _mm256_add_epi16(dots, _mm256_maddubs_epi16(w[g], spread4(fours + 4 * g)));
      sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(dots, scale));
      asm volatile("" : "+x"(sums[r]));
    }
  }
}

/// Q5_K: sub-blocks `sub` and the next, and so on to the block's end.
template <std::size_t sub = 0, std::size_t count>
FLOWSPEC_PART void add_fives(const std::byte* body, const std::byte* scales, const std::int8_t* x,
                             std::size_t inputs, std::size_t ahead, __m256i (&sums)[count]) {
  if constexpr (count == 1)
    for (std::size_t line = 0; line < 10; ++line)
      fetch(body + 64 * (5 * sub + line));
  else
    fetch_lines(body + 64 * 5 * sub, ahead, 10);
  // At most 4 pairs of 2 * 31 * 127.
  add_sub<8, 4, false>(q5_k_values<sub>(body), scales + panel_outputs * sub, x + 32 * sub, inputs,
                       sums);
  add_sub<8, 4, false>(q5_k_values<sub + 1>(body), scales + panel_outputs * (sub + 1),
                       x + 32 * (sub + 1), inputs, sums);
  if constexpr (sub < 6)
    add_fives<sub + 2>(body, scales, x, inputs, ahead, sums);
}

/// mins = minimums . sums of activations
/// @param x_sums  of 32 activations each
template <std::size_t count>
FLOWSPEC_PART void multiply_mins(const std::byte* bytes, const std::int16_t* x_sums,
                                 std::size_t row_stride, __m256i (&mins)[count]) {
  clear(mins);
  for (std::size_t s = 0; s < 8; s += 2) {
    const std::byte* two = bytes + panel_outputs * s;
    const __m256i both = pairs<false>(two, two + panel_outputs);
    for (std::size_t r = 0; r < count; ++r) {
      const __m256i x = spread4(x_sums + r * row_stride + s);
      mins[r] = _mm256_add_epi32(mins[r], _mm256_madd_epi16(both, x));
    }
  }
}

/// totals += the terms of a block of Q4_K or Q5_K.
template <std::size_t count>
FLOWSPEC_PART void add_terms(const std::byte* scales, const __m256i (&sums)[count],
                             const __m256i (&mins)[count], const float* row_scales,
                             std::size_t row_stride, __m256 (&totals)[count]) {
  const __m256 sum_scales = halves(scales);
  const __m256 min_scales = halves(scales + 32);
  for (std::size_t r = 0; r < count; ++r) {
    const float row_scale = row_scales[r * row_stride];
    totals[r] = _mm256_add_ps(totals[r], term(sums[r], sum_scales, row_scale));
    totals[r] = _mm256_sub_ps(totals[r], term(mins[r], min_scales, row_scale));
  }
}

template <std::size_t count>
FLOWSPEC_TARGET void q4_k(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                          std::size_t stride) {
  const SuperPanel<320, 2048> from(panel, rows.inputs);
  const std::size_t ahead = fetched_ahead(row, from.bytes());
  const std::size_t blocks = from.blocks;
  const std::int8_t* x = rows.values + row * rows.inputs;
  const std::int16_t* x_sums = rows.sums_of_32 + row * blocks * 8;
  const float* row_scales = rows.scales + row * blocks;
  __m256 total[2][count] = {};
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::byte* front = from.front(b);
    __m256i sums[2][count];
    clear(sums[0]);
    clear(sums[1]);
#pragma GCC unroll 4
    for (std::size_t s = 0; s < 8; s += 2, x += 64) {
      const std::byte* body = from.body(b) + 256 * s;
      if constexpr (count == 1)
        for (std::size_t line = 0; line < 8; ++line)
          fetch(body + 64 * line);
      else
        fetch_lines(body, ahead, 8);
      const std::byte* scales = front + 64 + panel_outputs * s;
      add_sub(Nibbles<false>{body}, scales, x, rows.inputs, sums);
      add_sub(Nibbles<true>{body}, scales + panel_outputs, x + 32, rows.inputs, sums);
    }
    for (std::size_t h = 0; h < 2; ++h) {
      __m256i mins[count];
      multiply_mins(front + 64 + 8 * panel_outputs + half * h, x_sums + 8 * b, 8 * blocks, mins);
      add_terms(front + 16 * h, sums[h], mins, row_scales + b, blocks, total[h]);
    }
  }
  store(total, out, stride);
}

template <std::size_t count>
FLOWSPEC_TARGET void q5_k(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                          std::size_t stride) {
  const SuperPanel<320, 2560> from(panel, rows.inputs);
  const std::size_t ahead = fetched_ahead(row, from.bytes());
  const std::size_t blocks = from.blocks;
  const std::int8_t* x = rows.values + row * rows.inputs;
  const std::int16_t* x_sums = rows.sums_of_32 + row * blocks * 8;
  const float* row_scales = rows.scales + row * blocks;
  __m256 total[2][count] = {};
  for (std::size_t b = 0; b < blocks; ++b, x += 256) {
    const std::byte* front = from.front(b);
    for (std::size_t h = 0; h < 2; ++h) {
      const std::byte* small = front + 64 + half * h;
      __m256i sums[count];
      clear(sums);
      add_fives(from.body(b) + 32 * h, small, x, rows.inputs, ahead, sums);
      __m256i mins[count];
      multiply_mins(small + 8 * panel_outputs, x_sums + 8 * b, 8 * blocks, mins);
      add_terms(front + 16 * h, sums, mins, row_scales + b, blocks, total[h]);
    }
  }
  store(total, out, stride);
}

/// `t` counts the sub-blocks of low halves.
template <std::size_t t = 0, std::size_t count>
FLOWSPEC_PART void add_sixes(const std::byte* body, const std::byte* scales, const std::int8_t* x,
                             std::size_t inputs, std::size_t ahead, __m256i (&sums)[count]) {
  constexpr std::size_t near = t / 4 * 8 + t % 4;
  constexpr std::size_t far = near + 4;
  if constexpr (count == 1)
    for (std::size_t line = 0; line < 6; ++line)
      fetch(body + 64 * (6 * t + line));
  else
    fetch_lines(body + 64 * 6 * t, ahead, 6);
  // At most 2 pairs of 2 * 63 * 127.
  add_sub<4, 2, true>(q6_k_values<near>(body), scales + panel_outputs * near, x + 16 * near, inputs,
                      sums);
  add_sub<4, 2, true>(q6_k_values<far>(body), scales + panel_outputs * far, x + 16 * far, inputs,
                      sums);
  if constexpr (t < 7)
    add_sixes<t + 1>(body, scales, x, inputs, ahead, sums);
}

/// Sums of 16 activations each in a block, for pairs of sub-blocks.
template <std::size_t count>
using Shorts = std::int16_t[count][16];

/// Sums 0 to 3, 8 to 11, 4 to 7, 12 to 15.
template <std::size_t count>
FLOWSPEC_PART void sums_of_16(const std::int32_t* x_sums, std::size_t row_stride,
                              Shorts<count>& shorts) {
  for (std::size_t r = 0; r < count; ++r) {
    const auto* from = reinterpret_cast<const __m256i*>(x_sums + r * row_stride);
    const __m256i all = _mm256_packs_epi32(_mm256_loadu_si256(from), _mm256_loadu_si256(from + 1));
    _mm256_store_si256(reinterpret_cast<__m256i*>(shorts[r]), all);
  }
}

/// offsets = scales . sums of activations
template <std::size_t count>
FLOWSPEC_PART void multiply_offsets(const std::byte* scales, const Shorts<count>& shorts,
                                    __m256i (&offsets)[count]) {
  clear(offsets);
  for (std::size_t s = 0; s < 16; s += 2) {
    const std::byte* two = scales + panel_outputs * s;
    const __m256i both = pairs<true>(two, two + panel_outputs);
    for (std::size_t r = 0; r < count; ++r) {
      const __m256i x = spread4(shorts[r] + s % 4 + s / 4 % 2 * 8 + s / 8 * 4);
      offsets[r] = _mm256_add_epi32(offsets[r], _mm256_madd_epi16(both, x));
    }
  }
}

template <std::size_t count>
FLOWSPEC_TARGET void q6_k(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                          std::size_t stride) {
  const SuperPanel<288, 3072> from(panel, rows.inputs);
  const std::size_t ahead = fetched_ahead(row, from.bytes());
  const std::size_t blocks = from.blocks;
  const std::int8_t* x = rows.values + row * rows.inputs;
  const std::int32_t* x_sums = rows.sums + row * blocks * 16;
  const float* row_scales = rows.scales + row * blocks;
  __m256 total[2][count] = {};
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::byte* front = from.front(b);
    alignas(32) Shorts<count> shorts;
    sums_of_16<count>(x_sums + 16 * b, 16 * blocks, shorts);
    for (std::size_t h = 0; h < 2; ++h) {
      const std::byte* small = front + 32 + half * h;
      __m256i sums[count];
      multiply_offsets<count>(small, shorts, sums);
      for (std::size_t r = 0; r < count; ++r)
        sums[r] = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_slli_epi32(sums[r], 5));
      add_sixes(from.body(b) + 32 * h, small, x + 256 * b, rows.inputs, ahead, sums);
      const __m256 scales = halves(front + 16 * h);
      for (std::size_t r = 0; r < count; ++r) {
        const float row_scale = row_scales[r * blocks + b];
        total[h][r] = _mm256_add_ps(total[h][r], term(sums[r], scales, row_scale));
      }
    }
  }
  store(total, out, stride);
}

}  // namespace

SuperTiles avx2_super_tiles() {
  static constexpr Tile q4_k_tiles[] = {q4_k<1>, q4_k<2>, q4_k<3>, q4_k<4>};
  static constexpr Tile q5_k_tiles[] = {q5_k<1>, q5_k<2>, q5_k<3>, q5_k<4>,
                                        q5_k<5>, q5_k<6>, q5_k<7>, q5_k<8>};
  static constexpr Tile q6_k_tiles[] = {q6_k<1>, q6_k<2>, q6_k<3>, q6_k<4>,
                                        q6_k<5>, q6_k<6>, q6_k<7>, q6_k<8>};
  return {{q4_k_tiles}, {q5_k_tiles}, {q6_k_tiles}};
}

}  // namespace flowspec::packed

#else

namespace flowspec::packed {
SuperTiles avx2_super_tiles() {
  return {};
}
}  // namespace flowspec::packed

#endif
