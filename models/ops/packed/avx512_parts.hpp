#pragma once
/// Pieces that the kernels for AVX-512 share. Everything is forced inline, so that no copy compiled
/// for one instruction set can serve another.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <immintrin.h>

// GCC 12 warns about the undefined upper halves in its own header.
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define FLOWSPEC_AVX512_PART \
  [[gnu::always_inline]] __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) inline

namespace flowspec::packed::avx512 {

FLOWSPEC_AVX512_PART __m512i load(const std::byte* from) {
  return _mm512_load_si512(from);
}

/// The same four bytes for every output.
FLOWSPEC_AVX512_PART __m512i spread4(const void* from) {
  std::int32_t four;
  std::memcpy(&four, from, sizeof four);
  return _mm512_set1_epi32(four);
}

/// 16 float16.
FLOWSPEC_AVX512_PART __m512 halves(const std::byte* from) {
  return _mm512_cvtph_ps(_mm256_load_si256(reinterpret_cast<const __m256i*>(from)));
}

/// 16 bytes as 32-bit integers.
FLOWSPEC_AVX512_PART __m512i unsigned_bytes(const std::byte* from) {
  return _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(from)));
}

FLOWSPEC_AVX512_PART __m512i signed_bytes(const std::byte* from) {
  return _mm512_cvtepi8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(from)));
}

/// What a block adds to a sum; see kernels.hpp.
FLOWSPEC_AVX512_PART __m512 term(__m512i integers, __m512 scales, float row_scale) {
  const __m512 scale = _mm512_mul_ps(scales, _mm512_set1_ps(row_scale));
  return _mm512_mul_ps(_mm512_cvtepi32_ps(integers), scale);
}

/// Prefetches a cache line well ahead: the CPU's own prefetcher stops at the end of a page.
FLOWSPEC_AVX512_PART void fetch(const std::byte* weights) {
  constexpr std::uintptr_t ahead = 4096;
  const std::uintptr_t place = reinterpret_cast<std::uintptr_t>(weights) + ahead;
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  _mm_prefetch(reinterpret_cast<const char*>(place), _MM_HINT_T0);
}

/// Minimums of 8 sub-blocks of a K-quant, in pairs of neighbours: what dpwssd multiplies with pairs
/// of sums of activations.
struct PairedMinimums {
  __m512i pairs[4];

  FLOWSPEC_AVX512_PART explicit PairedMinimums(const std::byte* bytes) {
    for (std::size_t i = 0; i < 4; ++i) {
      const auto* two = reinterpret_cast<const __m128i*>(bytes + 32 * i);
      const __m128i even = _mm_load_si128(two);
      const __m128i odd = _mm_load_si128(two + 1);
      pairs[i] = _mm512_cvtepu8_epi16(
          _mm256_set_m128i(_mm_unpackhi_epi8(even, odd), _mm_unpacklo_epi8(even, odd)));
    }
  }

  /// The sum of minimums times sums of activations.
  /// @param sums  of 32 activations each
  FLOWSPEC_AVX512_PART __m512i times(const std::int16_t* sums) const {
    __m512i total = _mm512_setzero_si512();
    for (std::size_t i = 0; i < 4; ++i)
      total = _mm512_dpwssd_epi32(total, pairs[i], spread4(sums + 2 * i));
    return total;
  }
};

}  // namespace flowspec::packed::avx512
