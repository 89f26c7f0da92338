#pragma once
/// Vectors of eight floats for the loops in models/ops, and sums in one fixed order.
///
/// Everything is multiply, add, divide and shuffle on eight lanes, each correctly rounded; multiply
/// and add are fused only where `fma` is called. So builds of a loop for different instruction sets
/// give the same bits. All functions are forced inline because they pass vectors whose calling
/// convention depends on the target.

#include <cstddef>
#include <cstdint>
#include <cstring>

// The warning is about calls; here everything is inlined.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace flowspec::simd {

inline constexpr std::size_t lanes = 8;

using Float8 = float __attribute__((vector_size(32)));
using Int8 = std::int32_t __attribute__((vector_size(32)));
using UInt8 = std::uint32_t __attribute__((vector_size(32)));

#define FLOWSPEC_INLINE [[gnu::always_inline]] inline

FLOWSPEC_INLINE Float8 load(const float* from) {
  Float8 v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

FLOWSPEC_INLINE void store(float* to, const Float8& v) {
  std::memcpy(to, &v, sizeof v);
}

FLOWSPEC_INLINE Float8 fill(float x) {
  return Float8{x, x, x, x, x, x, x, x};
}

FLOWSPEC_INLINE Float8 max(const Float8& a, const Float8& b) {
  return a > b ? a : b;
}

/// a * b + c, rounded once. One instruction in functions compiled for FMA; elsewhere a slow
/// function of the C library, with the same result.
FLOWSPEC_INLINE Float8 fma(const Float8& a, const Float8& b, const Float8& c) {
  Float8 result;
  for (std::size_t i = 0; i < lanes; ++i)
    result[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return result;
}

/// Lane i of the result is the sum of all lanes of v[i]. Every sum is the same tree of additions:
/// ((0+2)+(1+3)) + ((4+6)+(5+7)).
FLOWSPEC_INLINE Float8 transposed_sums(const Float8 (&v)[8]) {
  Float8 pair[4];
  for (int i = 0; i < 4; ++i) {
    const Float8& a = v[2 * i];
    const Float8& b = v[2 * i + 1];
    pair[i] = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13) +
              __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  }
  Float8 quad[2];
  for (int i = 0; i < 2; ++i) {
    const Float8& a = pair[2 * i];
    const Float8& b = pair[2 * i + 1];
    quad[i] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13) +
              __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
  }
  return __builtin_shufflevector(quad[0], quad[1], 0, 1, 2, 3, 8, 9, 10, 11) +
         __builtin_shufflevector(quad[0], quad[1], 4, 5, 6, 7, 12, 13, 14, 15);
}

/// The sum of all lanes, by the same tree.
FLOWSPEC_INLINE float sum(const Float8& v) {
  return ((v[0] + v[2]) + (v[1] + v[3])) + ((v[4] + v[6]) + (v[5] + v[7]));
}

/// e^x, within 2 units in the last place for -87.3 <= x <= 88.3. Smaller x gives 0, larger the
/// value at 88.3, NaN stays NaN.
///
/// Method (Cody and Waite): x = n ln 2 + r with |r| <= ln(2)/2; e^r by its Taylor polynomial of
/// degree 7, whose remainder is below 6e-9 of the result; 2^n goes straight into the exponent.
FLOWSPEC_INLINE Float8 exp(const Float8& argument) {
  const Float8 lowest = fill(-87.3F);
  const Float8 highest = fill(88.3F);
  Float8 x = argument > highest ? highest : argument;
  x = x < lowest ? lowest : x;
  // Adding 1.5 * 2^23 rounds to an integer, which is then in the low bits too.
  const Float8 magic = fill(12582912.0F);
  const Float8 shifted = x * fill(1.44269504F) + magic;
  const Float8 n = shifted - magic;
  // The upper part of ln 2 has so few bits that its product with n is exact.
  Float8 r = x - n * fill(0.693359375F);
  r = r - n * fill(-2.12194440e-4F);
  Float8 p = fill(1.0F / 5040);
  p = p * r + fill(1.0F / 720);
  p = p * r + fill(1.0F / 120);
  p = p * r + fill(1.0F / 24);
  p = p * r + fill(1.0F / 6);
  p = p * r + fill(0.5F);
  p = (p * r) * r + r + fill(1.0F);
  UInt8 bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + 0x3f800000U;
  Float8 power;
  std::memcpy(&power, &bits, sizeof power);
  const Float8 result = p * power;
  return argument < lowest ? Float8{} : result;
}

}  // namespace flowspec::simd
