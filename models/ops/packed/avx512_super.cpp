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

/// A block of one panel and the activations of the first row that it is multiplied with.
struct Operands {
  const std::byte* front;
  const std::byte* body;
  const std::int8_t* x;
  const std::int32_t* sums_of_16;
  /// From row to row.
  std::size_t inputs;
};

/// sums += scale * (values . x) for sub-block `sub` and those after it.
template <class Type, std::size_t sub = 0, std::size_t count>
FLOWSPEC_AVX512_PART void add_subs(const Operands& of, __m512i (&sums)[count]) {
  constexpr std::size_t lines = Type::Panel::body_bytes * Type::sub_values / 256 / 64;
  for (std::size_t line = 0; line < lines; ++line)
    fetch(of.body + 64 * (lines * sub + line));
  const std::int8_t* x = of.x + Type::sub_values * sub;
  __m512i dots[count];
  for (std::size_t r = 0; r < count; ++r) {
    dots[r] = Type::offset == 0
                  ? _mm512_setzero_si512()
                  : _mm512_set1_epi32(-Type::offset * of.sums_of_16[r * (of.inputs / 16) + sub]);
  }
#pragma GCC unroll 2
  for (std::size_t g = 0; g < Type::sub_values / 4; ++g) {
    const __m512i w = Type::template values<sub>(of.body, g);
    for (std::size_t r = 0; r < count; ++r)
      dots[r] = _mm512_dpbusd_epi32(dots[r], w, spread4(x + r * of.inputs + 4 * g));
  }
  const __m512i scale = Type::scale(of.front, sub);
  for (std::size_t r = 0; r < count; ++r)
    sums[r] = _mm512_add_epi32(sums[r], _mm512_mullo_epi32(dots[r], scale));
  if constexpr (sub + 1 < 256 / Type::sub_values)
    add_subs<Type, sub + 1>(of, sums);
}

template <class Type, std::size_t count>
FLOWSPEC_TARGET void multiply(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                              std::size_t stride) {
  const typename Type::Panel from(panel, rows.inputs);
  const std::size_t blocks = from.blocks;
  const float* row_scales = rows.scales + row * blocks;
  const std::int16_t* minimum_sums = rows.sums_of_32 + row * blocks * 8;
  Operands of{nullptr, nullptr, rows.values + row * rows.inputs, rows.sums + row * blocks * 16,
              rows.inputs};
  __m512 total[count];
  for (std::size_t r = 0; r < count; ++r)
    total[r] = _mm512_setzero_ps();
  for (std::size_t b = 0; b < blocks; ++b, of.x += 256, of.sums_of_16 += 16) {
    of.front = from.front(b);
    of.body = from.body(b);
    __m512i sums[count];
    for (std::size_t r = 0; r < count; ++r)
      sums[r] = _mm512_setzero_si512();
    add_subs<Type>(of, sums);
    const __m512 scales = halves(of.front);
    for (std::size_t r = 0; r < count; ++r)
      total[r] = _mm512_add_ps(total[r], term(sums[r], scales, row_scales[r * blocks + b]));
    if constexpr (Type::has_minimums) {
      const PairedMinimums minimums(Type::minimums(of.front));
      const __m512 minimum_scales = halves(of.front + 32);
      for (std::size_t r = 0; r < count; ++r) {
        const __m512i sum = minimums.times(minimum_sums + (r * blocks + b) * 8);
        total[r] = _mm512_sub_ps(total[r], term(sum, minimum_scales, row_scales[r * blocks + b]));
      }
    }
  }
  for (std::size_t r = 0; r < count; ++r)
    _mm512_storeu_ps(out + r * stride, total[r]);
}

template <class Type>
constexpr Tile tiles[] = {multiply<Type, 1>, multiply<Type, 2>, multiply<Type, 3>,
                          multiply<Type, 4>, multiply<Type, 5>, multiply<Type, 6>,
                          multiply<Type, 7>, multiply<Type, 8>};

}  // namespace

SuperTiles avx512_super_tiles() {
  return {{tiles<Q4K>}, {tiles<Q5K>}, {tiles<Q6K>}};
}

}  // namespace flowspec::packed

#else

namespace flowspec::packed {
SuperTiles avx512_super_tiles() {
  return {};
}
}  // namespace flowspec::packed

#endif
