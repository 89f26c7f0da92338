// AVX2: products use maddubs, which multiplies unsigned by signed bytes and adds pairs in 16 bits.
#include "models/ops/packed/kernels.hpp"

#if defined(__x86_64__)

#include "models/ops/packed/avx2_parts.hpp"
#include "models/ops/packed/cpu.hpp"
#include "models/ops/packed/panel.hpp"

// Every function names its target; the file is not compiled with flags. Otherwise an inline
// function of the standard library, compiled here for AVX2, could be the copy that the linker keeps
// for the whole program.
#define FLOWSPEC_TARGET __attribute__((target("avx2,f16c")))
#define FLOWSPEC_PART [[gnu::always_inline]] FLOWSPEC_TARGET inline

namespace flowspec::packed {
namespace {

using namespace avx2;

FLOWSPEC_PART __m256 add_block(__m256i dots, __m256 scales, float row_scale, __m256 sum) {
  return _mm256_add_ps(sum, term(dots, scales, row_scale));
}

// A block is multiplied with the panel's outputs 0 to 7 and then 8 to 15: sums for both at once
// would not fit in the 16 registers.
constexpr std::size_t half = panel_outputs / 2;

template <std::size_t count>
FLOWSPEC_PART void clear(__m256i (&dots)[count]) {
  for (std::size_t r = 0; r < count; ++r)
    dots[r] = _mm256_setzero_si256();
}

template <std::size_t count>
FLOWSPEC_PART void store(const __m256 (&total)[2][count], float* out, std::size_t stride) {
  for (std::size_t r = 0; r < count; ++r) {
    _mm256_storeu_ps(out + r * stride, total[0][r]);
    _mm256_storeu_ps(out + r * stride + half, total[1][r]);
  }
}

template <std::size_t count>
FLOWSPEC_TARGET void q8_0(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                          std::size_t stride) {
  const LegacyPanel<Legacy::q8_0> from(panel, rows.inputs);
  const std::size_t inputs = rows.inputs;
  const std::int8_t* x = rows.values + row * inputs;
  const float* row_scales = rows.scales + row * from.blocks;
  const __m256i ones = _mm256_set1_epi16(1);
  const std::size_t ahead = fetched_ahead(row, from.bytes());
  __m256 total[2][count] = {};
  for (std::size_t b = 0; b < from.blocks; ++b, x += 32) {
    const std::byte* body = from.body(b);
    __m256i low[count];
    __m256i high[count];
    clear(low);
    clear(high);
#pragma GCC unroll 2
    for (std::size_t g = 0; g < 8; ++g) {
      if constexpr (count <= 2)
        fetch<2048>(body + 64 * g);
      else
        fetch_lines(body + 64 * g, ahead, 1);
      const std::int8_t* fours = hidden(x + 4 * g);
      const __m256i w0 = load(body + 64 * g);
      const __m256i w1 = load(body + 64 * g + 32);
      const __m256i m0 = _mm256_abs_epi8(w0);
      const __m256i m1 = _mm256_abs_epi8(w1);
      for (std::size_t r = 0; r < count; ++r) {
        // |w| times x with the sign of w. A pair of products is at most 2 * 128 * 127, which fits
        // 16 bits.
        const __m256i four = spread4(fours + r * inputs);
        const __m256i p0 = _mm256_maddubs_epi16(m0, _mm256_sign_epi8(four, w0));
        const __m256i p1 = _mm256_maddubs_epi16(m1, _mm256_sign_epi8(four, w1));
        low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(p0, ones));
        high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(p1, ones));
        asm volatile("" : "+x"(low[r]), "+x"(high[r]));
      }
    }
    const __m256 scales0 = halves(from.scales(b));
    const __m256 scales1 = halves(from.scales(b) + 16);
    for (std::size_t r = 0; r < count; ++r) {
      total[0][r] = add_block(low[r], scales0, row_scales[r * from.blocks + b], total[0][r]);
      total[1][r] = add_block(high[r], scales1, row_scales[r * from.blocks + b], total[1][r]);
    }
  }
  store(total, out, stride);
}

/// The exact sums of 8 outputs of a block whose values are not negative.
template <Legacy type, std::size_t count>
FLOWSPEC_PART void add_products(const std::byte* body, const std::int8_t* x, std::size_t inputs,
                                std::size_t ahead, __m256i (&sums)[count]) {
  const __m256i ones = _mm256_set1_epi16(1);
  const __m256i mask = _mm256_set1_epi8(15);
  // 16-bit sums hold 8 pairs of at most 2 * 15 * 127, or 4 of 2 * 31 * 127.
  for (std::size_t first = 0; first < LegacyPanel<type>::body_bytes / 64; first += 4) {
    __m256i dots[count];
    clear(dots);
#pragma GCC unroll 2
    for (std::size_t g = first; g < first + 4; ++g) {
      if constexpr (count <= 2)
        fetch<4096>(body + 64 * g);
      else
        fetch_lines(body + 64 * g, ahead, 1);
      const std::int8_t* fours = hidden(x + 4 * g);
      const __m256i w = load(body + 64 * g);
      [[maybe_unused]] const __m256i near = _mm256_and_si256(w, mask);
      [[maybe_unused]] const __m256i far = _mm256_and_si256(_mm256_srli_epi16(w, 4), mask);
      for (std::size_t r = 0; r < count; ++r) {
        const std::int8_t* four = fours + r * inputs;
        if constexpr (has_nibbles(type)) {
          dots[r] = _mm256_add_epi16(dots[r], _mm256_maddubs_epi16(near, spread4(four)));
          dots[r] = _mm256_add_epi16(dots[r], _mm256_maddubs_epi16(far, spread4(four + 16)));
        } else {
          dots[r] = _mm256_add_epi16(dots[r], _mm256_maddubs_epi16(w, spread4(four)));
        }
      }
    }
    for (std::size_t r = 0; r < count; ++r)
      sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(dots[r], ones));
  }
}

template <Legacy type, std::size_t count>
FLOWSPEC_TARGET void positive(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                              std::size_t stride) {
  const LegacyPanel<type> from(panel, rows.inputs);
  const std::int8_t* x = rows.values + row * rows.inputs;
  const float* row_scales = rows.scales + row * from.blocks;
  const std::int32_t* row_sums = rows.sums + row * from.blocks;
  constexpr std::int32_t excess = type == Legacy::q4_0 ? 8 : 0;
  const std::size_t ahead = fetched_ahead(row, from.bytes());
  __m256 total[2][count] = {};
  for (std::size_t b = 0; b < from.blocks; ++b, x += 32) {
    for (std::size_t h = 0; h < 2; ++h) {
      __m256i sums[count];
      for (std::size_t r = 0; r < count; ++r)
        sums[r] = _mm256_set1_epi32(-excess * row_sums[r * from.blocks + b]);
      add_products<type>(from.body(b) + 32 * h, x, rows.inputs, ahead, sums);
      const __m256 scales = halves(from.scales(b) + 16 * h);
      for (std::size_t r = 0; r < count; ++r)
        total[h][r] = add_block(sums[r], scales, row_scales[r * from.blocks + b], total[h][r]);
      if constexpr (has_minimums(type)) {
        const __m256 minimums = halves(from.minimums(b) + 16 * h);
        for (std::size_t r = 0; r < count; ++r) {
          const std::size_t at = r * from.blocks + b;
          total[h][r] =
              add_block(_mm256_set1_epi32(row_sums[at]), minimums, row_scales[at], total[h][r]);
        }
      }
    }
  }
  store(total, out, stride);
}

template <Legacy type>
constexpr Tile tiles[] = {positive<type, 1>, positive<type, 2>, positive<type, 3>,
                          positive<type, 4>, positive<type, 5>, positive<type, 6>};

}  // namespace

const KernelSet* avx2_kernels() {
  static constexpr Tile q8_0_tiles[] = {q8_0<1>, q8_0<2>, q8_0<3>, q8_0<4>};
  static const KernelSet set{
      "avx2",
      avx2_float_tiles(),
      {{q8_0_tiles}, {tiles<Legacy::q4_0>}, {tiles<Legacy::q4_1>}, {tiles<Legacy::q5_1>}},
      avx2_super_tiles()};
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && cpu_has_f16c()
             ? &set
             : nullptr;
}

}  // namespace flowspec::packed

#else

namespace flowspec::packed {
const KernelSet* avx2_kernels() {
  return nullptr;
}
}  // namespace flowspec::packed

#endif
