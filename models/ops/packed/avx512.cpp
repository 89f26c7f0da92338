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

/// 64 bytes of a block as values that dpbusd takes, the first half of them and the second.
template <Legacy type>
struct Line {
  static constexpr std::size_t halves = has_nibbles(type) ? 2 : 1;
  __m512i values[halves];

  Line() = default;
  FLOWSPEC_PART explicit Line(const std::byte* bytes) {
    fetch(bytes);
    values[0] = load(bytes);
    if constexpr (has_nibbles(type)) {
      const __m512i mask = _mm512_set1_epi8(15);
      values[1] = _mm512_and_si512(_mm512_srli_epi16(values[0], 4), mask);
      values[0] = _mm512_and_si512(values[0], mask);
    } else if constexpr (type == Legacy::q8_0) {
      values[0] = _mm512_xor_si512(values[0], _mm512_set1_epi8(-128));
    }
  }
};

/// Adds a block's products.
/// @param body  of the first panel
template <Legacy type, std::size_t count, std::size_t panels>
FLOWSPEC_PART void add_products(const std::byte* body, std::size_t panel_bytes,
                                const std::int8_t* x, std::size_t inputs,
                                __m512i (&dots)[count][panels]) {
  for (std::size_t g = 0; g < LegacyPanel<type>::body_bytes / 64; ++g) {
    Line<type> w[panels];
#pragma GCC unroll 16
    for (std::size_t p = 0; p < panels; ++p)
      w[p] = Line<type>(body + p * panel_bytes + 64 * g);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < count; ++r)
#pragma GCC unroll 16
      for (std::size_t half = 0; half < Line<type>::halves; ++half) {
        const __m512i four = spread4(x + r * inputs + 4 * g + 16 * half);
#pragma GCC unroll 16
        for (std::size_t p = 0; p < panels; ++p)
          dots[r][p] = _mm512_dpbusd_epi32(dots[r][p], w[p].values[half], four);
      }
  }
}

template <Legacy type, std::size_t count, std::size_t panels>
FLOWSPEC_TARGET void legacy(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                            std::size_t stride) {
  const LegacyPanel<type> from(panel, rows.inputs);
  const std::size_t blocks = from.blocks;
  const std::size_t panel_bytes = from.bytes();
  const std::int8_t* x = rows.values + row * rows.inputs;
  const float* row_scales = rows.scales + row * blocks;
  const std::int32_t* row_sums = rows.sums + row * blocks;
  __m512 total[count][panels];
#pragma GCC unroll 16
  for (std::size_t r = 0; r < count; ++r)
#pragma GCC unroll 16
    for (std::size_t p = 0; p < panels; ++p)
      total[r][p] = _mm512_setzero_ps();
  for (std::size_t b = 0; b < blocks; ++b, x += 32) {
    __m512i dots[count][panels];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < count; ++r)
#pragma GCC unroll 16
      for (std::size_t p = 0; p < panels; ++p)
        dots[r][p] = less_offset<type>(row_sums[r * blocks + b]);
    add_products<type>(from.body(b), panel_bytes, x, rows.inputs, dots);
#pragma GCC unroll 16
    for (std::size_t p = 0; p < panels; ++p) {
      const __m512 scales = halves(from.scales(b) + p * panel_bytes);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < count; ++r)
        total[r][p] =
            _mm512_add_ps(total[r][p], term(dots[r][p], scales, row_scales[r * blocks + b]));
      if constexpr (has_minimums(type)) {
        const __m512 minimums = halves(from.minimums(b) + p * panel_bytes);
#pragma GCC unroll 16
        for (std::size_t r = 0; r < count; ++r) {
          const std::size_t at = r * blocks + b;
          total[r][p] = _mm512_add_ps(
              total[r][p], term(_mm512_set1_epi32(row_sums[at]), minimums, row_scales[at]));
        }
      }
    }
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < count; ++r)
#pragma GCC unroll 16
    for (std::size_t p = 0; p < panels; ++p)
      _mm512_storeu_ps(out + r * stride + p * panel_outputs, total[r][p]);
}

// The sums have to stay in registers: twice rows times panels is at most 24.
template <Legacy type>
constexpr Tile tiles[] = {legacy<type, 1, 1>, legacy<type, 2, 1>, legacy<type, 3, 1>,
                          legacy<type, 4, 1>, legacy<type, 5, 1>, legacy<type, 6, 1>};

template <Legacy type>
constexpr WideTile wide[] = {{legacy<type, 1, 2>, 2}, {legacy<type, 2, 2>, 2},
                             {legacy<type, 3, 2>, 2}, {legacy<type, 4, 2>, 2},
                             {legacy<type, 5, 2>, 2}, {legacy<type, 6, 2>, 2}};

template <Legacy type>
constexpr TypeTiles all_tiles{tiles<type>, wide<type>};

}  // namespace

const KernelSet* avx512_kernels() {
  static const KernelSet set{"avx512-vnni",
                             avx512_float_tiles(),
                             {all_tiles<Legacy::q8_0>, all_tiles<Legacy::q4_0>,
                              all_tiles<Legacy::q4_1>, all_tiles<Legacy::q5_1>},
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
