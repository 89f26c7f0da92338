// K-quants with AVX-512 VNNI. The values are not negative, so dpbusd takes them directly; a
// sub-block's sum is multiplied by its scale. Q6_K is stored with 32 added, which the sums of the
// activations correct for.
#include "models/ops/packed/kernels.hpp"

#if defined(__x86_64__)

#include "models/ops/packed/avx512_values.hpp"

// See avx2.cpp for why this is not a flag of the file.
#define FLOWSPEC_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

namespace flowspec::packed {
namespace {

using namespace avx512;

/// A block of the first panel and the activations of the first row that it is multiplied with.
struct Operands {
  const std::byte* front;
  const std::byte* body;
  const std::int8_t* x;
  const std::int32_t* sums_of_16;
  /// From row to row.
  std::size_t inputs;
  /// From panel to panel.
  std::size_t panel_bytes;
};

/// sums += scale * (values . x) for sub-block `sub` and those after it.
template <class Type, std::size_t sub = 0, std::size_t count, std::size_t panels>
FLOWSPEC_AVX512_PART void add_subs(const Operands& of, __m512i (&sums)[count][panels]) {
  constexpr std::size_t lines = Type::Panel::body_bytes * Type::sub_values / 256 / 64;
  const std::int8_t* x = of.x + Type::sub_values * sub;
  for (std::size_t p = 0; p < panels; ++p)
    for (std::size_t line = 0; line < lines; ++line)
      fetch(of.body + p * of.panel_bytes + 64 * (lines * sub + line));
  __m512i dots[count][panels];
#pragma GCC unroll 16
  for (std::size_t r = 0; r < count; ++r) {
#pragma GCC unroll 16
    for (std::size_t p = 0; p < panels; ++p)
      dots[r][p] =
          Type::offset == 0
              ? _mm512_setzero_si512()
              : _mm512_set1_epi32(-Type::offset * of.sums_of_16[r * (of.inputs / 16) + sub]);
  }
#pragma GCC unroll 2
  for (std::size_t g = 0; g < Type::sub_values / 4; ++g) {
    __m512i w[panels];
#pragma GCC unroll 16
    for (std::size_t p = 0; p < panels; ++p)
      w[p] = Type::template values<sub>(of.body + p * of.panel_bytes, g);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < count; ++r) {
      const __m512i four = spread4(x + r * of.inputs + 4 * g);
#pragma GCC unroll 16
      for (std::size_t p = 0; p < panels; ++p)
        dots[r][p] = _mm512_dpbusd_epi32(dots[r][p], w[p], four);
    }
  }
#pragma GCC unroll 16
  for (std::size_t p = 0; p < panels; ++p) {
    const __m512i scale = Type::scale(of.front + p * of.panel_bytes, sub);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < count; ++r)
      sums[r][p] = _mm512_add_epi32(sums[r][p], _mm512_mullo_epi32(dots[r][p], scale));
  }
  if constexpr (sub + 1 < 256 / Type::sub_values)
    add_subs<Type, sub + 1>(of, sums);
}

template <class Type, std::size_t count, std::size_t panels>
FLOWSPEC_TARGET void multiply(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                              std::size_t stride) {
  const typename Type::Panel from(panel, rows.inputs);
  const std::size_t blocks = from.blocks;
  const float* row_scales = rows.scales + row * blocks;
  const std::int16_t* minimum_sums = rows.sums_of_32 + row * blocks * 8;
  Operands of{
      nullptr,     nullptr,     rows.values + row * rows.inputs, rows.sums + row * blocks * 16,
      rows.inputs, from.bytes()};
  __m512 total[count][panels];
#pragma GCC unroll 16
  for (std::size_t r = 0; r < count; ++r) {
#pragma GCC unroll 16
    for (std::size_t p = 0; p < panels; ++p)
      total[r][p] = _mm512_setzero_ps();
  }
  for (std::size_t b = 0; b < blocks; ++b, of.x += 256, of.sums_of_16 += 16) {
    of.front = from.front(b);
    of.body = from.body(b);
    __m512i sums[count][panels];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < count; ++r) {
#pragma GCC unroll 16
      for (std::size_t p = 0; p < panels; ++p)
        sums[r][p] = _mm512_setzero_si512();
    }
    add_subs<Type>(of, sums);
#pragma GCC unroll 16
    for (std::size_t p = 0; p < panels; ++p) {
      const std::byte* front = of.front + p * of.panel_bytes;
      const __m512 scales = halves(front);
#pragma GCC unroll 16
      for (std::size_t r = 0; r < count; ++r)
        total[r][p] =
            _mm512_add_ps(total[r][p], term(sums[r][p], scales, row_scales[r * blocks + b]));
      if constexpr (Type::has_minimums) {
        const PairedMinimums minimums(Type::minimums(front));
        const __m512 minimum_scales = halves(front + 32);
#pragma GCC unroll 16
        for (std::size_t r = 0; r < count; ++r) {
          const __m512i sum = minimums.times(minimum_sums + (r * blocks + b) * 8);
          total[r][p] =
              _mm512_sub_ps(total[r][p], term(sum, minimum_scales, row_scales[r * blocks + b]));
        }
      }
    }
  }
#pragma GCC unroll 16
  for (std::size_t r = 0; r < count; ++r) {
#pragma GCC unroll 16
    for (std::size_t p = 0; p < panels; ++p)
      _mm512_storeu_ps(out + r * stride + p * panel_outputs, total[r][p]);
  }
}

// The sums have to stay in registers: three times rows times panels is at most 24.
template <class Type>
constexpr Tile tiles[] = {multiply<Type, 1, 1>, multiply<Type, 2, 1>, multiply<Type, 3, 1>,
                          multiply<Type, 4, 1>, multiply<Type, 5, 1>, multiply<Type, 6, 1>,
                          multiply<Type, 7, 1>, multiply<Type, 8, 1>};

template <class Type>
constexpr WideTile wide[] = {{multiply<Type, 1, 2>, 2},
                             {multiply<Type, 2, 2>, 2},
                             {multiply<Type, 3, 2>, 2},
                             {multiply<Type, 4, 2>, 2}};

template <class Type>
constexpr TypeTiles all_tiles{tiles<Type>, wide<Type>};

}  // namespace

SuperTiles avx512_super_tiles() {
  return {all_tiles<Q4K>, all_tiles<Q5K>, all_tiles<Q6K>};
}

}  // namespace flowspec::packed

#else

namespace flowspec::packed {
SuperTiles avx512_super_tiles() {
  return {};
}
}  // namespace flowspec::packed

#endif
