// Q4_K and Q5_K with AVX-VNNI: avx512_super.cpp's algorithm on half as many outputs. Q6_K, which has a
// scale for every 16 values, is as fast with AVX2's, which applies scales while it widens.
#include "models/ops/packed/kernels.hpp"

#if defined(__x86_64__)

#include "models/ops/packed/avx2_parts.hpp"
#include "models/ops/packed/panel.hpp"

// See avx2.cpp for why this is not a flag of the file.
#define FLOWSPEC_TARGET __attribute__((target("avx2,f16c,avxvnni")))
#define FLOWSPEC_PART [[gnu::always_inline]] FLOWSPEC_TARGET inline

namespace flowspec::packed {
namespace {

using namespace avx2;

struct Q4K {
  using Panel = SuperPanel<320, 2048>;

  template <std::size_t sub>
  FLOWSPEC_PART static auto values(const std::byte* body) {
    return q4_k_values<sub>(body);
  }
};

struct Q5K : Q4K {
  using Panel = SuperPanel<320, 2560>;

  template <std::size_t sub>
  FLOWSPEC_PART static auto values(const std::byte* body) {
    return q5_k_values<sub>(body);
  }
};

/// A block of 8 outputs and the activations of the first row that it is multiplied with.
struct Operands {
  const std::byte* front;
  const std::byte* body;
  const std::int8_t* x;
  /// From row to row.
  std::size_t inputs;
};

/// sums += scale * (values . x) for sub-block `sub` and those after it.
template <class Type, std::size_t sub = 0, std::size_t count>
FLOWSPEC_PART void add_subs(const Operands& of, __m256i (&sums)[count]) {
  constexpr std::size_t lines = Type::Panel::body_bytes / 8 / 64;
  if constexpr (count == 1)
    for (std::size_t line = 0; line < lines; ++line)
      fetch(of.body + 64 * (lines * sub + line));
  const auto values = Type::template values<sub>(of.body);
  __m256i dots[count];
  for (std::size_t r = 0; r < count; ++r)
    dots[r] = _mm256_setzero_si256();
#pragma GCC unroll 2
  for (std::size_t g = 0; g < 8; ++g) {
    const std::int8_t* fours = hidden(of.x + 32 * sub + 4 * g);
    const __m256i w = values(64 * g);
    for (std::size_t r = 0; r < count; ++r)
      dots[r] = _mm256_dpbusd_avx_epi32(dots[r], w, spread4(fours + r * of.inputs));
  }
  const __m256i scale = _mm256_cvtepu8_epi32(load8(of.front + 64 + panel_outputs * sub));
  for (std::size_t r = 0; r < count; ++r)
    sums[r] = _mm256_add_epi32(sums[r], _mm256_mullo_epi32(dots[r], scale));
  if constexpr (sub + 1 < 8)
    add_subs<Type, sub + 1>(of, sums);
}

/// totals -= the terms of a block's minimums.
template <std::size_t count>
FLOWSPEC_PART void subtract_minimums(const std::byte* bytes, __m256 scales,
                                     const std::int16_t* x_sums, const float* row_scales,
                                     std::size_t row_blocks, __m256 (&totals)[count]) {
  __m256i both[4];
  for (std::size_t i = 0; i < 4; ++i) {
    const std::byte* two = bytes + 2 * panel_outputs * i;
    both[i] = pairs<false>(two, two + panel_outputs);
  }
  for (std::size_t r = 0; r < count; ++r) {
    __m256i sum = _mm256_setzero_si256();
    for (std::size_t i = 0; i < 4; ++i)
      sum = _mm256_dpwssd_avx_epi32(sum, both[i], spread4(x_sums + 8 * r * row_blocks + 2 * i));
    totals[r] = _mm256_sub_ps(totals[r], term(sum, scales, row_scales[r * row_blocks]));
  }
}

template <class Type, std::size_t count>
FLOWSPEC_TARGET void multiply(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                              std::size_t stride) {
  const typename Type::Panel from(panel, rows.inputs);
  const std::size_t blocks = from.blocks;
  const float* row_scales = rows.scales + row * blocks;
  const std::int16_t* x_sums = rows.sums_of_32 + row * blocks * 8;
  __m256 total[2][count] = {};
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::byte* front = from.front(b);
    for (std::size_t h = 0; h < 2; ++h) {
      // The small numbers of 8 outputs lie 16 bytes apart.
      const Operands of{front + half * h, from.body(b) + 32 * h,
                        rows.values + row * rows.inputs + 256 * b, rows.inputs};
      __m256i sums[count];
      for (std::size_t r = 0; r < count; ++r)
        sums[r] = _mm256_setzero_si256();
      add_subs<Type>(of, sums);
      const __m256 scales = halves(front + 16 * h);
      for (std::size_t r = 0; r < count; ++r)
        total[h][r] = _mm256_add_ps(total[h][r], term(sums[r], scales, row_scales[r * blocks + b]));
      subtract_minimums(of.front + 64 + 8 * panel_outputs, halves(front + 32 + 16 * h),
                        x_sums + 8 * b, row_scales + b, blocks, total[h]);
    }
  }
  for (std::size_t r = 0; r < count; ++r) {
    _mm256_storeu_ps(out + r * stride, total[0][r]);
    _mm256_storeu_ps(out + r * stride + half, total[1][r]);
  }
}

template <class Type>
constexpr Tile tiles[] = {multiply<Type, 1>, multiply<Type, 2>, multiply<Type, 3>,
                          multiply<Type, 4>, multiply<Type, 5>, multiply<Type, 6>};

}  // namespace

SuperTiles avx_vnni_super_tiles() {
  return {{tiles<Q4K>}, {tiles<Q5K>}, avx2_super_tiles().q6_k};
}

}  // namespace flowspec::packed

#else

namespace flowspec::packed {
SuperTiles avx_vnni_super_tiles() {
  return {};
}
}  // namespace flowspec::packed

#endif
