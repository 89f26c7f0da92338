#include "models/ops/bf16/few_rows.hpp"

#if defined(__x86_64__)

#include <array>
#include <cstdint>
#include <cstring>

#include <immintrin.h>

// GCC 12 warns about the undefined upper halves in its own header.
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define FLOWSPEC_TARGET __attribute__((target("avx512f")))
#define FLOWSPEC_PART [[gnu::always_inline]] FLOWSPEC_TARGET inline

namespace flowspec::bf16 {
namespace {

constexpr std::size_t lanes = 16;
constexpr std::size_t panel_outputs = 64;
constexpr std::size_t panels = 2;

/// Like the instruction: subnormal numbers count as zero, and become zero.
class FlushSubnormals {
 public:
  FlushSubnormals() : before_(_mm_getcsr()) {
    constexpr unsigned flush_to_zero = 0x8000;
    constexpr unsigned denormals_are_zero = 0x0040;
    _mm_setcsr(before_ | flush_to_zero | denormals_are_zero);
  }
  ~FlushSubnormals() { _mm_setcsr(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  unsigned before_;
};

/// The even ones of pairs of bfloat16 as floats.
FLOWSPEC_PART __m512 even(__m512i pairs) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
}

FLOWSPEC_PART __m512 odd(__m512i pairs) {
  return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(-0x10000)));
}

FLOWSPEC_PART void fetch(const std::byte* weights) {
  // As an integer: the address may lie beyond the end of the matrix, where only a prefetch may point.
  const std::uintptr_t place = reinterpret_cast<std::uintptr_t>(weights) + 4096;
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  _mm_prefetch(reinterpret_cast<const char*>(place), _MM_HINT_T0);
}

/// Computes `vectors` x 16 of a panel's outputs for `rows` rows. Not inlined: nothing may leave the scope
/// of FlushSubnormals.
template <std::size_t rows, std::size_t vectors>
[[gnu::noinline]] FLOWSPEC_TARGET void multiply(std::size_t inputs, const Bits* activations,
                                                const std::byte* weights, float* out,
                                                std::size_t stride) {
  __m512 sums[rows][vectors];
  for (auto& row : sums)
    for (__m512& sum : row)
      sum = _mm512_setzero_ps();
  for (std::size_t first = 0; first < inputs; first += input_step) {
    __m512 evens[rows][vectors];
    __m512 odds[rows][vectors];
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t v = 0; v < vectors; ++v)
        evens[r][v] = odds[r][v] = _mm512_setzero_ps();
    for (std::size_t i = first; i < first + input_step; i += 2, weights += 4 * panel_outputs) {
      for (std::size_t v = 0; v < vectors; ++v) {
        fetch(weights + 64 * v);
        const __m512i pairs = _mm512_loadu_si512(weights + 64 * v);
        const __m512 w_even = even(pairs);
        const __m512 w_odd = odd(pairs);
        for (std::size_t r = 0; r < rows; ++r) {
          std::int32_t both = 0;
          std::memcpy(&both, activations + r * inputs + i, sizeof both);
          const __m512i x = _mm512_set1_epi32(both);
          evens[r][v] = _mm512_fmadd_ps(even(x), w_even, evens[r][v]);
          odds[r][v] = _mm512_fmadd_ps(odd(x), w_odd, odds[r][v]);
        }
      }
    }
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t v = 0; v < vectors; ++v)
        sums[r][v] = _mm512_add_ps(sums[r][v], _mm512_add_ps(evens[r][v], odds[r][v]));
  }
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t v = 0; v < vectors; ++v)
      _mm512_storeu_ps(out + r * stride + lanes * v, sums[r][v]);
}

template <std::size_t rows>
void multiply_tile(std::size_t inputs, const Bits* activations, const std::byte* packed,
                   float* out) {
  // All sums have to stay in registers.
  constexpr std::size_t vectors = rows <= 2 ? 4 : 2;
  for (std::size_t p = 0; p < panels; ++p)
    for (std::size_t v = 0; v < panel_outputs / lanes; v += vectors)
      multiply<rows, vectors>(inputs, activations,
                              packed + p * inputs * panel_outputs * sizeof(Bits) + 64 * v,
                              out + p * panel_outputs + lanes * v, panels * panel_outputs);
}

}  // namespace

bool can_multiply_few_rows() {
  return __builtin_cpu_supports("avx512f") != 0;
}

void multiply_few_rows(std::size_t rows, std::size_t inputs, const Bits* activations,
                       const void* packed, float* out) {
  constexpr std::array tiles{multiply_tile<1>, multiply_tile<2>, multiply_tile<3>,
                             multiply_tile<4>};
  static_assert(tiles.size() == most_few_rows);
  const FlushSubnormals flush;
  tiles[rows - 1](inputs, activations, static_cast<const std::byte*>(packed), out);
}

}  // namespace flowspec::bf16

#else

namespace flowspec::bf16 {

bool can_multiply_few_rows() {
  return false;
}

void multiply_few_rows(std::size_t /*rows*/, std::size_t /*inputs*/, const Bits* /*activations*/,
                       const void* /*packed*/, float* /*out*/) {}

}  // namespace flowspec::bf16

#endif
