#pragma once
/// The integers of K-quants, unpacked with AVX-512: for each type what its kernels need to know.

#include "models/ops/packed/avx512_parts.hpp"
#include "models/ops/packed/panel.hpp"

namespace flowspec::packed::avx512 {

/// The low or high halves of bytes.
template <bool is_high>
FLOWSPEC_AVX512_PART __m512i nibbles(__m512i both) {
  return _mm512_and_si512(is_high ? _mm512_srli_epi16(both, 4) : both, _mm512_set1_epi8(15));
}

/// Low or high halves, with `bits` more from other bytes, where they begin at bit `place`.
template <bool is_high, int bits, int place>
FLOWSPEC_AVX512_PART __m512i long_nibbles(__m512i both, __m512i upper) {
  constexpr char mask = ((1 << bits) - 1) << 4;
  const __m512i moved =
      place < 4 ? _mm512_slli_epi16(upper, 4 - place) : _mm512_srli_epi16(upper, place - 4);
  // a | (b & c)
  return _mm512_ternarylogic_epi32(nibbles<is_high>(both), moved, _mm512_set1_epi8(mask), 0xf8);
}

struct Q4K {
  using Panel = SuperPanel<320, 2048>;
  static constexpr bool has_minimums = true;
  /// Values with one scale.
  static constexpr std::size_t sub_values = 32;
  /// What is added to a value to make it unsigned.
  static constexpr int offset = 0;

  /// Four values of sub-block `sub` for each output, unsigned.
  template <std::size_t sub>
  FLOWSPEC_AVX512_PART static __m512i values(const std::byte* body, std::size_t group) {
    return nibbles<sub % 2 == 1>(load(body + 512 * (sub / 2) + 64 * group));
  }

  FLOWSPEC_AVX512_PART static __m512i scale(const std::byte* front, std::size_t sub) {
    return unsigned_bytes(front + 64 + 16 * sub);
  }
  FLOWSPEC_AVX512_PART static const std::byte* minimums(const std::byte* front) {
    return front + 64 + 8 * 16;
  }
};

struct Q5K {
  using Panel = SuperPanel<320, 2560>;
  static constexpr bool has_minimums = true;
  static constexpr std::size_t sub_values = 32;
  static constexpr int offset = 0;

  template <std::size_t sub>
  FLOWSPEC_AVX512_PART static __m512i values(const std::byte* body, std::size_t group) {
    return long_nibbles<sub % 2 == 1, 1, int{sub}>(load(body + 512 * (sub / 2) + 64 * group),
                                                   load(body + 2048 + 64 * group));
  }

  FLOWSPEC_AVX512_PART static __m512i scale(const std::byte* front, std::size_t sub) {
    return Q4K::scale(front, sub);
  }
  FLOWSPEC_AVX512_PART static const std::byte* minimums(const std::byte* front) {
    return Q4K::minimums(front);
  }
};

struct Q6K {
  using Panel = SuperPanel<288, 3072>;
  static constexpr bool has_minimums = false;
  static constexpr std::size_t sub_values = 16;
  static constexpr int offset = 32;

  // Of each 128 values, sub-blocks 0 to 3 are low halves and 4 to 7 high halves.
  template <std::size_t sub>
  FLOWSPEC_AVX512_PART static __m512i values(const std::byte* body, std::size_t group) {
    constexpr std::size_t half = sub / 8;
    constexpr std::size_t line = sub % 4;
    constexpr bool is_high = sub % 8 >= 4;
    constexpr int place = (line < 2 ? 0 : 2) + (is_high ? 4 : 0);
    return long_nibbles<is_high, 2, place>(
        load(body + 1024 * half + 256 * line + 64 * group),
        load(body + 2048 + 512 * half + 256 * (line % 2) + 64 * group));
  }

  FLOWSPEC_AVX512_PART static __m512i scale(const std::byte* front, std::size_t sub) {
    return signed_bytes(front + 32 + 16 * sub);
  }
};

}  // namespace flowspec::packed::avx512
