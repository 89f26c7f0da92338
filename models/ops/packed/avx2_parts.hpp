#pragma once
/// Pieces that the kernels for AVX2 share. Everything is forced inline, so that no copy compiled for
/// one instruction set can serve another.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <immintrin.h>

#include "models/ops/packed/panel.hpp"

#define FLOWSPEC_AVX2_PART [[gnu::always_inline]] __attribute__((target("avx2,f16c"))) inline

namespace flowspec::packed::avx2 {

/// Outputs of a register: 0 to 7 of a panel, then 8 to 15.
inline constexpr std::size_t half = 8;

FLOWSPEC_AVX2_PART __m256i load(const std::byte* from) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
}

FLOWSPEC_AVX2_PART __m128i load8(const std::byte* from) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
}

/// The same four bytes for every output.
FLOWSPEC_AVX2_PART __m256i spread4(const void* from) {
  std::int32_t four;
  std::memcpy(&four, from, sizeof four);
  return _mm256_set1_epi32(four);
}

/// 8 float16.
FLOWSPEC_AVX2_PART __m256 halves(const std::byte* from) {
  return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(from)));
}

/// Returns the same pointer, but hides that from the compiler, which would otherwise load the
/// inputs of several groups ahead, more than fit in registers.
template <class T>
FLOWSPEC_AVX2_PART T* hidden(T* pointer) {
  asm volatile("" : "+r"(pointer));
  return pointer;
}

/// Prefetches later weights. The CPU's own prefetching stops at the end of a page, and with one row
/// there is too little other work while the first lines of the next page are loaded.
FLOWSPEC_AVX2_PART void fetch_at(const std::byte* weights, std::uintptr_t ahead) {
  // As an integer: the address may lie beyond the end of the matrix, where only a prefetch may
  // point.
  const std::uintptr_t place = reinterpret_cast<std::uintptr_t>(weights) + ahead;
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  _mm_prefetch(reinterpret_cast<const char*>(place), _MM_HINT_T0);
}

template <std::uintptr_t ahead = 4096>
FLOWSPEC_AVX2_PART void fetch(const std::byte* weights) {
  fetch_at(weights, ahead);
}

/// How far ahead of its own weights a tile of many rows fetches: a panel's first tile would wait for memory,
/// and the others leave it idle. So the first one fetches the next panel; the others nothing new.
FLOWSPEC_AVX2_PART std::size_t fetched_ahead(std::size_t row, std::size_t panel_bytes) {
  return row == 0 ? panel_bytes : 0;
}

FLOWSPEC_AVX2_PART void fetch_lines(const std::byte* weights, std::size_t ahead,
                                    std::size_t lines) {
  for (std::size_t line = 0; line < lines; ++line)
    fetch_at(weights, ahead + 64 * line);
}

/// What a block adds to a sum; see kernels.hpp.
FLOWSPEC_AVX2_PART __m256 term(__m256i integers, __m256 scales, float row_scale) {
  const __m256 scale = _mm256_mul_ps(scales, _mm256_set1_ps(row_scale));
  return _mm256_mul_ps(_mm256_cvtepi32_ps(integers), scale);
}

/// Bytes from two lists, side by side as 16 bits.
template <bool is_signed>
FLOWSPEC_AVX2_PART __m256i pairs(const std::byte* first, const std::byte* second) {
  const __m128i both = _mm_unpacklo_epi8(load8(first), load8(second));
  return is_signed ? _mm256_cvtepi8_epi16(both) : _mm256_cvtepu8_epi16(both);
}

/// The values of a sub-block: low or high halves of bytes.
template <bool is_high>
struct Nibbles {
  const std::byte* body;

  FLOWSPEC_AVX2_PART __m256i operator()(std::size_t at) const {
    const __m256i both = load(body + at);
    return _mm256_and_si256(is_high ? _mm256_srli_epi16(both, 4) : both, _mm256_set1_epi8(15));
  }
};

/// The same with `bits` more from other bytes, where they begin at bit `place`.
template <bool is_high, int bits, int place>
struct LongNibbles {
  Nibbles<is_high> nibbles;
  const std::byte* upper;

  FLOWSPEC_AVX2_PART __m256i operator()(std::size_t at) const {
    constexpr char mask = ((1 << bits) - 1) << 4;
    const __m256i all = load(upper + at);
    const __m256i moved =
        place < 4 ? _mm256_slli_epi16(all, 4 - place) : _mm256_srli_epi16(all, place - 4);
    return _mm256_or_si256(nibbles(at), _mm256_and_si256(moved, _mm256_set1_epi8(mask)));
  }
};

/// Values of sub-block `sub` of a block of each type, for 8 outputs; the argument of a call is the
/// place of a group of four inputs, 64 bytes after the one before.
template <std::size_t sub>
using Q4KValues = Nibbles<sub % 2 == 1>;
template <std::size_t sub>
using Q5KValues = LongNibbles<sub % 2 == 1, 1, int{sub}>;
/// Of each 128 values, sub-blocks 0 to 3 are low halves and 4 to 7 high halves.
template <std::size_t sub>
using Q6KValues = LongNibbles<sub % 8 >= 4, 2, (sub % 4 < 2 ? 0 : 2) + (sub % 8 >= 4 ? 4 : 0)>;

template <std::size_t sub>
FLOWSPEC_AVX2_PART Q4KValues<sub> q4_k_values(const std::byte* body) {
  return {body + 512 * (sub / 2)};
}

template <std::size_t sub>
FLOWSPEC_AVX2_PART Q5KValues<sub> q5_k_values(const std::byte* body) {
  return {{body + 512 * (sub / 2)}, body + 2048};
}

template <std::size_t sub>
FLOWSPEC_AVX2_PART Q6KValues<sub> q6_k_values(const std::byte* body) {
  return {{body + 1024 * (sub / 8) + 256 * (sub % 4)},
          body + 2048 + 512 * (sub / 8) + 256 * (sub % 2)};
}

}  // namespace flowspec::packed::avx2
