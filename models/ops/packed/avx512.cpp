// AVX-512 with VNNI: dpbusd multiplies unsigned by signed bytes and adds four products to 32 bits,
// exactly. Signed weights are multiplied with 128 added (or 8, as Q4_0 stores them); the sums of
// the activations correct for that.
#include "models/ops/packed/kernels.hpp"

#if defined(__x86_64__)

#include "models/ops/packed/avx512_parts.hpp"
#include "models/ops/packed/panel.hpp"

// See avx2.cpp for why this is not a flag of the file.
#define FLOWSPEC_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define FLOWSPEC_PART [[gnu::always_inline]] FLOWSPEC_TARGET inline

namespace flowspec::packed {
namespace {

using namespace avx512;

/// The initial value of a block's sum: minus the surplus of the unsigned weights.
template <Legacy type>
FLOWSPEC_PART __m512i less_offset(std::int32_t row_sum) {
  constexpr std::int32_t offset = type == Legacy::q8_0 ? 128 : type == Legacy::q4_0 ? 8 : 0;
  return _mm512_set1_epi32(-offset * row_sum);
}

/// Adds a block's products.
template <Legacy type, std::size_t count>
FLOWSPEC_PART void add_products(const std::byte* body, const std::int8_t* x, std::size_t inputs,
                                __m512i (&dots)[count]) {
  for (std::size_t g = 0; g < LegacyPanel<type>::body_bytes / 64; ++g)
    fetch(body + 64 * g);
  if constexpr (has_nibbles(type)) {
    const __m512i mask = _mm512_set1_epi8(15);
    for (std::size_t g = 0; g < 4; ++g) {
      const __m512i both = load(body + 64 * g);
      const __m512i near = _mm512_and_si512(both, mask);
      const __m512i far = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
      for (std::size_t r = 0; r < count; ++r) {
        const std::int8_t* four = x + r * inputs + 4 * g;
        dots[r] = _mm512_dpbusd_epi32(dots[r], near, spread4(four));
        dots[r] = _mm512_dpbusd_epi32(dots[r], far, spread4(four + 16));
      }
    }
  } else {
    for (std::size_t g = 0; g < 8; ++g) {
      __m512i w = load(body + 64 * g);
      if constexpr (type == Legacy::q8_0)
        w = _mm512_xor_si512(w, _mm512_set1_epi8(-128));
      for (std::size_t r = 0; r < count; ++r)
        dots[r] = _mm512_dpbusd_epi32(dots[r], w, spread4(x + r * inputs + 4 * g));
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
  __m512 total[count];
  for (std::size_t r = 0; r < count; ++r)
    total[r] = _mm512_setzero_ps();
  for (std::size_t b = 0; b < from.blocks; ++b, x += 32) {
    __m512i dots[count];
    for (std::size_t r = 0; r < count; ++r)
      dots[r] = less_offset<type>(row_sums[r * from.blocks + b]);
    add_products<type>(from.body(b), x, rows.inputs, dots);
    const __m512 scales = halves(from.scales(b));
    for (std::size_t r = 0; r < count; ++r)
      total[r] = _mm512_add_ps(total[r], term(dots[r], scales, row_scales[r * from.blocks + b]));
    if constexpr (has_minimums(type)) {
      const __m512 minimums = halves(from.minimums(b));
      for (std::size_t r = 0; r < count; ++r) {
        const std::size_t at = r * from.blocks + b;
        total[r] = _mm512_add_ps(total[r],
                                 term(_mm512_set1_epi32(row_sums[at]), minimums, row_scales[at]));
      }
    }
  }
  for (std::size_t r = 0; r < count; ++r)
    _mm512_storeu_ps(out + r * stride, total[r]);
}

template <Legacy type>
constexpr Tile tiles[] = {legacy<type, 1>, legacy<type, 2>, legacy<type, 3>, legacy<type, 4>,
                          legacy<type, 5>, legacy<type, 6>, legacy<type, 7>, legacy<type, 8>};

}  // namespace

const KernelSet* avx512_kernels() {
  static const KernelSet set{
      "avx512-vnni",
      avx512_float_tiles(),
      {{tiles<Legacy::q8_0>}, {tiles<Legacy::q4_0>}, {tiles<Legacy::q4_1>}, {tiles<Legacy::q5_1>}},
      avx512_super_tiles()};
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni")
             ? &set
             : nullptr;
}

}  // namespace flowspec::packed

#else

namespace flowspec::packed {
const KernelSet* avx512_kernels() {
  return nullptr;
}
}  // namespace flowspec::packed

#endif
