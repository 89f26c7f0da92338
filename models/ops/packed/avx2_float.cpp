// Float weights with AVX2 and FMA; 16-bit ones are widened in registers, exactly.
#include "models/ops/packed/kernels.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

// See avx2.cpp for why this is not a flag of the file.
#define FLOWSPEC_TARGET __attribute__((target("avx2,fma,f16c")))
#define FLOWSPEC_PART [[gnu::always_inline]] FLOWSPEC_TARGET inline

namespace flowspec::packed {
namespace {

struct F32 {
  static constexpr std::size_t bytes = 4;
  FLOWSPEC_PART static __m256 load(const std::byte* from) {
    return _mm256_load_ps(reinterpret_cast<const float*>(from));
  }
};

struct F16 {
  static constexpr std::size_t bytes = 2;
  FLOWSPEC_PART static __m256 load(const std::byte* from) {
    return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(from)));
  }
};

struct Bf16 {
  static constexpr std::size_t bytes = 2;
  FLOWSPEC_PART static __m256 load(const std::byte* from) {
    const __m128i halves = _mm_load_si128(reinterpret_cast<const __m128i*>(from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
  }
};

// The sums have to stay in registers: count * vectors is at most 12.
template <class Weight, std::size_t count, std::size_t vectors>
FLOWSPEC_TARGET void multiply(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                              std::size_t stride) {
  constexpr std::size_t lanes = 8;
  constexpr std::size_t in_panel = panel_outputs / lanes;
  const std::size_t inputs = rows.inputs;
  const std::size_t panel_bytes = inputs * panel_outputs * Weight::bytes;
  const float* x = rows.floats + row * inputs;
  const float* const end = x + inputs;
  const auto place = [&](std::size_t v) {
    return panel + v / in_panel * panel_bytes + v % in_panel * lanes * Weight::bytes;
  };
  __m256 sums[count][vectors];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < count; ++r) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v)
      sums[r][v] = _mm256_setzero_ps();
  }
#pragma GCC unroll 2
  for (; x != end; ++x, panel += panel_outputs * Weight::bytes) {
    // The smaller set is kept in registers while the other is loaded one by one.
    if constexpr (count > vectors) {
      __m256 w[vectors];
#pragma GCC unroll 8
      for (std::size_t v = 0; v < vectors; ++v)
        w[v] = Weight::load(place(v));
#pragma GCC unroll 8
      for (std::size_t r = 0; r < count; ++r) {
        const __m256 same = _mm256_broadcast_ss(x + r * inputs);
#pragma GCC unroll 8
        for (std::size_t v = 0; v < vectors; ++v)
          sums[r][v] = _mm256_fmadd_ps(same, w[v], sums[r][v]);
      }
    } else {
      __m256 same[count];
#pragma GCC unroll 8
      for (std::size_t r = 0; r < count; ++r)
        same[r] = _mm256_broadcast_ss(x + r * inputs);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < vectors; ++v) {
        const __m256 w = Weight::load(place(v));
#pragma GCC unroll 8
        for (std::size_t r = 0; r < count; ++r)
          sums[r][v] = _mm256_fmadd_ps(same[r], w, sums[r][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < count; ++r) {
#pragma GCC unroll 8
    for (std::size_t v = 0; v < vectors; ++v)
      _mm256_storeu_ps(out + r * stride + v * lanes, sums[r][v]);
  }
}

template <class Weight>
constexpr Tile tiles[] = {multiply<Weight, 1, 2>, multiply<Weight, 2, 2>, multiply<Weight, 3, 2>,
                          multiply<Weight, 4, 2>, multiply<Weight, 5, 2>, multiply<Weight, 6, 2>};

template <class Weight>
constexpr WideTile wide[] = {
    {multiply<Weight, 1, 8>, 4}, {multiply<Weight, 2, 4>, 2}, {multiply<Weight, 3, 4>, 2}};

}  // namespace

FloatTiles avx2_float_tiles() {
  return {{tiles<F32>, wide<F32>}, {tiles<F16>, wide<F16>}, {tiles<Bf16>, wide<Bf16>}};
}

}  // namespace flowspec::packed

#else

namespace flowspec::packed {
FloatTiles avx2_float_tiles() {
  return {};
}
}  // namespace flowspec::packed

#endif
