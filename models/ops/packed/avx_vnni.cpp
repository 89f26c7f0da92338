// AVX-VNNI, for CPUs with VNNI but without AVX-512: avx512.cpp's algorithm on half as many outputs.
#include "models/ops/packed/kernels.hpp"

#if defined(__x86_64__)

#include "models/ops/packed/avx2_parts.hpp"
#include "models/ops/packed/cpu.hpp"
#include "models/ops/packed/panel.hpp"

// See avx2.cpp for why this is not a flag of the file.
#define FLOWSPEC_TARGET __attribute__((target("avx2,f16c,avxvnni")))
#define FLOWSPEC_PART [[gnu::always_inline]] FLOWSPEC_TARGET inline

namespace flowspec::packed {
namespace {

using namespace avx2;

FLOWSPEC_PART __m256 add_block(__m256i dots, __m256 scales, float row_scale, __m256 sum) {
  return _mm256_add_ps(sum, term(dots, scales, row_scale));
}

/// The initial value of a block's sum: minus the surplus of the unsigned weights.
template <Legacy type>
FLOWSPEC_PART __m256i less_offset(std::int32_t row_sum) {
  constexpr std::int32_t offset = type == Legacy::q8_0 ? 128 : type == Legacy::q4_0 ? 8 : 0;
  return _mm256_set1_epi32(-offset * row_sum);
}

/// Adds a block's products.
template <Legacy type, std::size_t count>
FLOWSPEC_PART void add_products(const std::byte* body, const std::int8_t* x, std::size_t inputs,
                                __m256i (&dots)[count]) {
  const __m256i mask = _mm256_set1_epi8(15);
#pragma GCC unroll 2
  for (std::size_t g = 0; g < LegacyPanel<type>::body_bytes / 64; ++g, x += 4) {
    const __m256i w = load(body + 64 * g);
    if constexpr (has_nibbles(type)) {
      const __m256i near = _mm256_and_si256(w, mask);
      const __m256i far = _mm256_and_si256(_mm256_srli_epi16(w, 4), mask);
      for (std::size_t r = 0; r < count; ++r) {
        dots[r] = _mm256_dpbusd_avx_epi32(dots[r], near, spread4(x + r * inputs));
        dots[r] = _mm256_dpbusd_avx_epi32(dots[r], far, spread4(x + r * inputs + 16));
      }
    } else {
      const __m256i positive =
          type == Legacy::q8_0 ? _mm256_xor_si256(w, _mm256_set1_epi8(-128)) : w;
      for (std::size_t r = 0; r < count; ++r)
        dots[r] = _mm256_dpbusd_avx_epi32(dots[r], positive, spread4(x + r * inputs));
    }
  }
}

template <Legacy type, std::size_t count>
FLOWSPEC_TARGET void legacy(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                            std::size_t stride) {
  const LegacyPanel<type> from(panel, rows.inputs);
  const std::int8_t* x = rows.values + row * rows.inputs;
  const float* row_scales = rows.scales + row * from.blocks;
  const std::int32_t* row_sums = rows.sums + row * from.blocks;
  __m256 total[2][count] = {};
  for (std::size_t b = 0; b < from.blocks; ++b, x += 32) {
    for (std::size_t h = 0; h < 2; ++h) {
      __m256i dots[count];
      for (std::size_t r = 0; r < count; ++r)
        dots[r] = less_offset<type>(row_sums[r * from.blocks + b]);
      add_products<type>(from.body(b) + 32 * h, x, rows.inputs, dots);
      const __m256 scales = halves(from.scales(b) + 16 * h);
      for (std::size_t r = 0; r < count; ++r)
        total[h][r] = add_block(dots[r], scales, row_scales[r * from.blocks + b], total[h][r]);
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
  for (std::size_t r = 0; r < count; ++r) {
    _mm256_storeu_ps(out + r * stride, total[0][r]);
    _mm256_storeu_ps(out + r * stride + half, total[1][r]);
  }
}

template <Legacy type>
constexpr Tile tiles[] = {legacy<type, 1>, legacy<type, 2>, legacy<type, 3>,
                          legacy<type, 4>, legacy<type, 5>, legacy<type, 6>};

}  // namespace

const KernelSet* avx_vnni_kernels() {
  static const KernelSet set{
      "avx-vnni",
      avx2_float_tiles(),
      {{tiles<Legacy::q8_0>}, {tiles<Legacy::q4_0>}, {tiles<Legacy::q4_1>}, {tiles<Legacy::q5_1>}},
      avx_vnni_super_tiles()};
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
