// Float weights with AVX-512; 16-bit ones are widened in registers, exactly.
#include "models/ops/packed/kernels.hpp"

#if defined(__x86_64__)

#include "models/ops/packed/avx512_parts.hpp"

// See avx2.cpp for why this is not a flag of the file. The set that these belong to needs all of them.
#define FLOWSPEC_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define FLOWSPEC_PART [[gnu::always_inline]] FLOWSPEC_TARGET inline

namespace flowspec::packed {
namespace {

struct F32 {
  static constexpr std::size_t bytes = 4;
  FLOWSPEC_PART static __m512 load(const std::byte* from) {
    return _mm512_load_ps(reinterpret_cast<const float*>(from));
  }
};

struct F16 {
  static constexpr std::size_t bytes = 2;
  FLOWSPEC_PART static __m512 load(const std::byte* from) { return avx512::halves(from); }
};

struct Bf16 {
  static constexpr std::size_t bytes = 2;
  FLOWSPEC_PART static __m512 load(const std::byte* from) {
    const __m256i halves = _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
  }
};

/// Adds an input's products.
template <class Weight, std::size_t count, std::size_t panels>
FLOWSPEC_PART void add_products(const std::byte* panel, std::size_t panel_bytes, const float* x,
                                std::size_t inputs, __m512 (&sums)[count][panels]) {
  __m512 w[panels];
#pragma GCC unroll 16
  for (std::size_t p = 0; p < panels; ++p)
    w[p] = Weight::load(panel + p * panel_bytes);
#pragma GCC unroll 16
  for (std::size_t r = 0; r < count; ++r) {
    const __m512 value = _mm512_set1_ps(x[r * inputs]);
#pragma GCC unroll 16
    for (std::size_t p = 0; p < panels; ++p)
      sums[r][p] = _mm512_fmadd_ps(value, w[p], sums[r][p]);
  }
}

// The sums have to stay in registers: count * panels is at most 24.
template <class Weight, std::size_t count, std::size_t panels>
FLOWSPEC_TARGET void multiply(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
                              std::size_t stride) {
  constexpr std::size_t input_bytes = panel_outputs * Weight::bytes;
  // Whose weights are a cache line of a panel.
  constexpr std::size_t line = 64 / input_bytes;
  const std::size_t inputs = rows.inputs;
  const std::size_t panel_bytes = inputs * input_bytes;
  const float* x = rows.floats + row * inputs;
  const float* const end = x + inputs;
  const float* const end_of_lines = x + inputs / line * line;
  __m512 sums[count][panels];
#pragma GCC unroll 16
  for (std::size_t r = 0; r < count; ++r) {
#pragma GCC unroll 16
    for (std::size_t p = 0; p < panels; ++p)
      sums[r][p] = _mm512_setzero_ps();
  }
  while (x != end_of_lines) {
#pragma GCC unroll 16
    for (std::size_t p = 0; p < panels; ++p)
      avx512::fetch(panel + p * panel_bytes);
#pragma GCC unroll 2
    for (std::size_t i = 0; i < line; ++i, ++x, panel += input_bytes)
      add_products<Weight>(panel, panel_bytes, x, inputs, sums);
  }
  for (; x != end; ++x, panel += input_bytes)
    add_products<Weight>(panel, panel_bytes, x, inputs, sums);
#pragma GCC unroll 16
  for (std::size_t r = 0; r < count; ++r) {
#pragma GCC unroll 16
    for (std::size_t p = 0; p < panels; ++p)
      _mm512_storeu_ps(out + r * stride + p * panel_outputs, sums[r][p]);
  }
}

template <class Weight>
constexpr Tile tiles[] = {
    multiply<Weight, 1, 1>,  multiply<Weight, 2, 1>,  multiply<Weight, 3, 1>,
    multiply<Weight, 4, 1>,  multiply<Weight, 5, 1>,  multiply<Weight, 6, 1>,
    multiply<Weight, 7, 1>,  multiply<Weight, 8, 1>,  multiply<Weight, 9, 1>,
    multiply<Weight, 10, 1>, multiply<Weight, 11, 1>, multiply<Weight, 12, 1>};

template <class Weight>
constexpr WideTile wide[] = {
    {multiply<Weight, 1, 8>, 8},  {multiply<Weight, 2, 4>, 4},  {multiply<Weight, 3, 4>, 4},
    {multiply<Weight, 4, 2>, 2},  {multiply<Weight, 5, 4>, 4},  {multiply<Weight, 6, 4>, 4},
    {multiply<Weight, 7, 3>, 3},  {multiply<Weight, 8, 3>, 3},  {multiply<Weight, 9, 2>, 2},
    {multiply<Weight, 10, 2>, 2}, {multiply<Weight, 11, 2>, 2}, {multiply<Weight, 12, 2>, 2}};

}  // namespace

FloatTiles avx512_float_tiles() {
  return {{tiles<F32>, wide<F32>}, {tiles<F16>, wide<F16>}, {tiles<Bf16>, wide<Bf16>}};
}

}  // namespace flowspec::packed

#else

namespace flowspec::packed {
FloatTiles avx512_float_tiles() {
  return {};
}
}  // namespace flowspec::packed

#endif
