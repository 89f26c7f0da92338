// AVX-VNNI, for CPUs with VNNI but without AVX-512: avx512.cpp's algorithm on half as many outputs.
#include "models/ops/packed/kernels.hpp"

#if defined(__x86_64__)

#include <cstring>

#include <immintrin.h>

#include "models/ops/packed/cpu.hpp"
#include "models/ops/packed/panel.hpp"

// See avx2.cpp for why this is not a flag of the file.
#define FLOWSPEC_TARGET __attribute__((target("avx2,f16c,avxvnni")))
#define FLOWSPEC_PART [[gnu::always_inline]] FLOWSPEC_TARGET inline

namespace flowspec::packed {
namespace {

constexpr std::size_t half = panel_outputs / 2;

FLOWSPEC_PART __m256i load(const std::byte* from) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
}

/// The same four inputs for every output.
FLOWSPEC_PART __m256i spread4(const std::int8_t* from) {
  std::int32_t four;
  std::memcpy(&four, from, sizeof four);
  return _mm256_set1_epi32(four);
}

FLOWSPEC_PART __m256 halves(const std::byte* from) {
  return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(from)));
}

FLOWSPEC_PART __m256 add_block(__m256i dots, __m256 scales, float row_scale, __m256 sum) {
  const __m256 scale = _mm256_mul_ps(scales, _mm256_set1_ps(row_scale));
  return _mm256_add_ps(sum, _mm256_mul_ps(_mm256_cvtepi32_ps(dots), scale));
}

/// Adds a block's products. For Q8_0 the weights plus 128 are multiplied, for Q4_0 those plus 8 as
/// they are stored; `dots` starts with what that is too much.
template <std::size_t count, std::size_t body_bytes>
FLOWSPEC_PART void add_products(const std::byte* body, const std::int8_t* x, std::size_t inputs,
                                __m256i (&dots)[count]) {
  const __m256i offset = _mm256_set1_epi8(-128);
  const __m256i mask = _mm256_set1_epi8(15);
#pragma GCC unroll 2
  for (std::size_t g = 0; g < body_bytes / 64; ++g, x += 4) {
    const __m256i w = load(body + 64 * g);
    if constexpr (body_bytes == 512) {
      const __m256i positive = _mm256_xor_si256(w, offset);
      for (std::size_t r = 0; r < count; ++r) {
        dots[r] = _mm256_dpbusd_avx_epi32(dots[r], positive, spread4(x + r * inputs));
      }
    } else {
      const __m256i near = _mm256_and_si256(w, mask);
      const __m256i far = _mm256_and_si256(_mm256_srli_epi16(w, 4), mask);
      for (std::size_t r = 0; r < count; ++r) {
        dots[r] = _mm256_dpbusd_avx_epi32(dots[r], near, spread4(x + r * inputs));
        dots[r] = _mm256_dpbusd_avx_epi32(dots[r], far, spread4(x + r * inputs + 16));
      }
    }
  }
}

template <std::size_t count, std::size_t body_bytes>
FLOWSPEC_TARGET void legacy(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                            std::size_t stride) {
  const LegacyPanel<body_bytes> from(panel, rows.inputs);
  const std::int8_t* x = rows.values + row * rows.inputs;
  const float* row_scales = rows.scales + row * from.blocks;
  const std::int32_t* row_sums = rows.sums + row * from.blocks;
  constexpr std::int32_t excess = body_bytes == 512 ? 128 : 8;
  __m256 total[2][count] = {};
  for (std::size_t b = 0; b < from.blocks; ++b, x += 32) {
    for (std::size_t h = 0; h < 2; ++h) {
      __m256i dots[count];
      for (std::size_t r = 0; r < count; ++r) {
        dots[r] = _mm256_set1_epi32(-excess * row_sums[r * from.blocks + b]);
      }
      add_products<count, body_bytes>(from.body(b) + 32 * h, x, rows.inputs, dots);
      const __m256 scales = halves(from.scales(b) + 16 * h);
      for (std::size_t r = 0; r < count; ++r) {
        total[h][r] = add_block(dots[r], scales, row_scales[r * from.blocks + b], total[h][r]);
      }
    }
  }
  for (std::size_t r = 0; r < count; ++r) {
    _mm256_storeu_ps(out + r * stride, total[0][r]);
    _mm256_storeu_ps(out + r * stride + half, total[1][r]);
  }
}

}  // namespace

const KernelSet* avx_vnni_kernels() {
  static constexpr Tile q8_0_tiles[] = {legacy<1, 512>, legacy<2, 512>, legacy<3, 512>,
                                        legacy<4, 512>, legacy<5, 512>, legacy<6, 512>};
  static constexpr Tile q4_0_tiles[] = {legacy<1, 256>, legacy<2, 256>, legacy<3, 256>,
                                        legacy<4, 256>, legacy<5, 256>, legacy<6, 256>};
  static const KernelSet set{
      "avx-vnni", avx2_float_tiles(), {{q8_0_tiles}, {q4_0_tiles}}, avx2_super_tiles()};
  return __builtin_cpu_supports("avx2") && cpu_has_f16c() && cpu_has_avx_vnni() ? &set : nullptr;
}

}  // namespace flowspec::packed

#else

namespace flowspec::packed {
const KernelSet* avx_vnni_kernels() {
  return nullptr;
}
}  // namespace flowspec::packed

#endif
