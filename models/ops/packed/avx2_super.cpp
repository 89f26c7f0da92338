// K-quants with AVX2. The values are not negative, so maddubs takes them directly; a sub-block's
// 16-bit pair sums are multiplied by its scale while they are widened.
#include "models/ops/packed/kernels.hpp"

#if defined(__x86_64__)

#include <cstring>

#include <immintrin.h>

#include "models/ops/packed/panel.hpp"

// See avx2.cpp for why this is not a flag of the file.
#define FLOWSPEC_TARGET __attribute__((target("avx2,f16c")))
#define FLOWSPEC_PART [[gnu::always_inline]] FLOWSPEC_TARGET inline

namespace flowspec::packed {
namespace {

// Outputs 0 to 7 of the panel, then 8 to 15.
constexpr std::size_t half = panel_outputs / 2;

/// See avx2.cpp.
template <class T>
FLOWSPEC_PART T* hidden(T* pointer) {
  asm volatile("" : "+r"(pointer));
  return pointer;
}

FLOWSPEC_PART __m256i load(const std::byte* from) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
}

FLOWSPEC_PART __m256i spread4(const std::int8_t* from) {
  std::int32_t four;
  std::memcpy(&four, from, sizeof four);
  return _mm256_set1_epi32(four);
}

FLOWSPEC_PART __m256 halves(const std::byte* from) {
  return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(from)));
}

FLOWSPEC_PART __m128i load8(const std::byte* from) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
}

/// Two numbers of 16 bits for each output.
FLOWSPEC_PART __m256i pairs(__m256i first, __m256i second) {
  return _mm256_or_si256(_mm256_and_si256(first, _mm256_set1_epi32(0xffff)),
                         _mm256_slli_epi32(second, 16));
}

FLOWSPEC_PART __m256i spread_pair(std::int32_t first, std::int32_t second) {
  return _mm256_set1_epi32((first & 0xffff) |
                           static_cast<std::int32_t>(static_cast<std::uint32_t>(second) << 16));
}

FLOWSPEC_PART __m256 term(__m256i integers, __m256 scales, float row_scale) {
  const __m256 scale = _mm256_mul_ps(scales, _mm256_set1_ps(row_scale));
  return _mm256_mul_ps(_mm256_cvtepi32_ps(integers), scale);
}

template <std::size_t count>
FLOWSPEC_PART void store(const __m256 (&total)[2][count], float* out, std::size_t stride) {
  for (std::size_t r = 0; r < count; ++r) {
    _mm256_storeu_ps(out + r * stride, total[0][r]);
    _mm256_storeu_ps(out + r * stride + half, total[1][r]);
  }
}

/// sums[r] += scale * (values of two sub-blocks . x); `high` has the fifth bits, if any.
template <bool has_high_bits, std::size_t count>
FLOWSPEC_PART void add_two(const std::byte* body, const std::byte* high, std::size_t sub,
                           const std::int8_t* x, std::size_t inputs, __m256i near_scale,
                           __m256i far_scale, __m256i (&sums)[count]) {
  const __m256i mask = _mm256_set1_epi8(15);
  [[maybe_unused]] const __m256i fifth = _mm256_set1_epi8(16);
  [[maybe_unused]] const __m128i right = _mm_cvtsi32_si128(static_cast<int>(sub));
  // 16-bit sums hold 8 pairs of at most 2 * 15 * 127, or 4 of 2 * 31 * 127.
  constexpr std::size_t run = has_high_bits ? 4 : 8;
  for (std::size_t first = 0; first < 8; first += run) {
    __m256i near_dots[count];
    __m256i far_dots[count];
    for (std::size_t r = 0; r < count; ++r)
      near_dots[r] = far_dots[r] = _mm256_setzero_si256();
#pragma GCC unroll 1
    for (std::size_t g = first; g < first + run; ++g) {
      const std::int8_t* fours = hidden(x + 4 * g);
      const __m256i both = load(body + 64 * g);
      __m256i near = _mm256_and_si256(both, mask);
      __m256i far = _mm256_and_si256(_mm256_srli_epi16(both, 4), mask);
      if constexpr (has_high_bits) {
        // The bits of sub-blocks `sub` and `sub` + 1, each moved to bit 4.
        const __m256i bits = _mm256_srl_epi16(load(high + 64 * g), right);
        near = _mm256_or_si256(near, _mm256_and_si256(_mm256_slli_epi16(bits, 4), fifth));
        far = _mm256_or_si256(far, _mm256_and_si256(_mm256_slli_epi16(bits, 3), fifth));
      }
      for (std::size_t r = 0; r < count; ++r) {
        const std::int8_t* four = fours + r * inputs;
        near_dots[r] = _mm256_add_epi16(near_dots[r], _mm256_maddubs_epi16(near, spread4(four)));
        far_dots[r] = _mm256_add_epi16(far_dots[r], _mm256_maddubs_epi16(far, spread4(four + 32)));
      }
    }
    for (std::size_t r = 0; r < count; ++r) {
      sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(near_dots[r], near_scale));
      sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(far_dots[r], far_scale));
    }
  }
}

template <bool has_high_bits, std::size_t count>
FLOWSPEC_TARGET void nibbles(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                             std::size_t stride) {
  const SuperPanel<320, has_high_bits ? 2560 : 2048> from(panel, rows.inputs);
  const std::int8_t* x = rows.values + row * rows.inputs;
  __m256 total[2][count] = {};
  for (std::size_t b = 0; b < from.blocks; ++b, x += 256) {
    for (std::size_t h = 0; h < 2; ++h) {
      const std::byte* front = from.front(b);
      const std::byte* small = front + 64 + half * h;
      const std::byte* body = from.body(b) + 32 * h;
      __m256i sums[count];
      __m256i mins[count];
      for (std::size_t r = 0; r < count; ++r)
        sums[r] = mins[r] = _mm256_setzero_si256();
      for (std::size_t s = 0; s < 8; s += 2) {
        const __m256i near = _mm256_cvtepu8_epi32(load8(small + panel_outputs * s));
        const __m256i far = _mm256_cvtepu8_epi32(load8(small + panel_outputs * (s + 1)));
        add_two<has_high_bits, count>(body + 256 * s, body + 2048, s, x + 32 * s, rows.inputs,
                                      pairs(near, near), pairs(far, far), sums);
        const std::byte* least = small + panel_outputs * (8 + s);
        const __m256i two = pairs(_mm256_cvtepu8_epi32(load8(least)),
                                  _mm256_cvtepu8_epi32(load8(least + panel_outputs)));
        for (std::size_t r = 0; r < count; ++r) {
          const std::int32_t* x_sums = rows.sums + ((row + r) * from.blocks + b) * 16 + 2 * s;
          const __m256i both = spread_pair(x_sums[0] + x_sums[1], x_sums[2] + x_sums[3]);
          mins[r] = _mm256_add_epi32(mins[r], _mm256_madd_epi16(two, both));
        }
      }
      const __m256 scales = halves(front + 16 * h);
      const __m256 min_scales = halves(front + 32 + 16 * h);
      for (std::size_t r = 0; r < count; ++r) {
        const float row_scale = rows.scales[(row + r) * from.blocks + b];
        total[h][r] = _mm256_add_ps(total[h][r], term(sums[r], scales, row_scale));
        total[h][r] = _mm256_sub_ps(total[h][r], term(mins[r], min_scales, row_scale));
      }
    }
  }
  store(total, out, stride);
}

/// Two sub-blocks of 16 values: low halves of four groups with the upper bits from `shift` on, and
/// high halves with those from `shift` + 4 on.
template <std::size_t count>
FLOWSPEC_PART void add_sixteen(const std::byte* low, const std::byte* high, int shift,
                               const std::int8_t* x, std::size_t inputs, __m256i near_scale,
                               __m256i far_scale, __m256i (&sums)[count]) {
  const __m256i mask = _mm256_set1_epi8(15);
  const __m256i upper = _mm256_set1_epi8(48);
  const __m128i right = _mm_cvtsi32_si128(shift);
  // 16-bit sums hold 2 pairs of at most 2 * 63 * 127.
  for (std::size_t first = 0; first < 4; first += 2) {
    __m256i near_dots[count];
    __m256i far_dots[count];
    for (std::size_t r = 0; r < count; ++r)
      near_dots[r] = far_dots[r] = _mm256_setzero_si256();
#pragma GCC unroll 1
    for (std::size_t g = first; g < first + 2; ++g) {
      const std::int8_t* fours = hidden(x + 4 * g);
      const __m256i both = load(low + 64 * g);
      const __m256i bits = _mm256_srl_epi16(load(high + 64 * g), right);
      const __m256i near = _mm256_or_si256(_mm256_and_si256(both, mask),
                                           _mm256_and_si256(_mm256_slli_epi16(bits, 4), upper));
      const __m256i far = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(both, 4), mask),
                                          _mm256_and_si256(bits, upper));
      for (std::size_t r = 0; r < count; ++r) {
        const std::int8_t* four = fours + r * inputs;
        near_dots[r] = _mm256_add_epi16(near_dots[r], _mm256_maddubs_epi16(near, spread4(four)));
        far_dots[r] = _mm256_add_epi16(far_dots[r], _mm256_maddubs_epi16(far, spread4(four + 64)));
      }
    }
    for (std::size_t r = 0; r < count; ++r) {
      sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(near_dots[r], near_scale));
      sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(far_dots[r], far_scale));
    }
  }
}

template <std::size_t count>
FLOWSPEC_TARGET void q6_k(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                          std::size_t stride) {
  const SuperPanel<288, 3072> from(panel, rows.inputs);
  const std::int8_t* x = rows.values + row * rows.inputs;
  __m256 total[2][count] = {};
  for (std::size_t b = 0; b < from.blocks; ++b, x += 256) {
    for (std::size_t h = 0; h < 2; ++h) {
      const std::byte* small = from.front(b) + 32 + half * h;
      const std::byte* body = from.body(b) + 32 * h;
      __m256i sums[count];
      __m256i offsets[count];
      for (std::size_t r = 0; r < count; ++r)
        sums[r] = offsets[r] = _mm256_setzero_si256();
      for (std::size_t t = 0; t < 8; ++t) {
        // Of each 128 values, sub-blocks 0 to 3 are low halves and 4 to 7 the high halves.
        const std::size_t s = t / 4 * 8 + t % 4;
        const __m256i near = _mm256_cvtepi8_epi32(load8(small + panel_outputs * s));
        const __m256i far = _mm256_cvtepi8_epi32(load8(small + panel_outputs * (s + 4)));
        add_sixteen<count>(body + 256 * t, body + 2048 + 512 * (t / 4) + 256 * (t % 2),
                           t % 4 < 2 ? 0 : 2, x + 16 * s, rows.inputs, pairs(near, near),
                           pairs(far, far), sums);
        const __m256i two = pairs(near, far);
        for (std::size_t r = 0; r < count; ++r) {
          const std::int32_t* x_sums = rows.sums + ((row + r) * from.blocks + b) * 16 + s;
          offsets[r] = _mm256_add_epi32(offsets[r],
                                        _mm256_madd_epi16(two, spread_pair(x_sums[0], x_sums[4])));
        }
      }
      const __m256 scales = halves(from.front(b) + 16 * h);
      for (std::size_t r = 0; r < count; ++r) {
        const __m256i exact = _mm256_sub_epi32(sums[r], _mm256_slli_epi32(offsets[r], 5));
        const float row_scale = rows.scales[(row + r) * from.blocks + b];
        total[h][r] = _mm256_add_ps(total[h][r], term(exact, scales, row_scale));
      }
    }
  }
  store(total, out, stride);
}

}  // namespace

SuperTiles avx2_super_tiles() {
  static constexpr Tile q4_k_tiles[] = {nibbles<false, 1>, nibbles<false, 2>, nibbles<false, 3>,
                                        nibbles<false, 4>};
  static constexpr Tile q5_k_tiles[] = {nibbles<true, 1>, nibbles<true, 2>, nibbles<true, 3>,
                                        nibbles<true, 4>};
  static constexpr Tile q6_k_tiles[] = {q6_k<1>, q6_k<2>, q6_k<3>, q6_k<4>};
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
