#pragma once
/// Converts between 16-bit floats (IEEE 754 binary16) and vectors of eight floats with integer
/// operations: the same bits on every CPU, and the same as its own instructions give.

#include <cstdint>
#include <cstring>

#include "models/kernels/vector.hpp"

namespace flowspec {

/// The bits of a 16-bit float.
enum class Half : std::uint16_t {};

namespace simd {

using UShort8 = std::uint16_t __attribute__((vector_size(16)));

/// Exact. A NaN stays one, and becomes quiet.
FLOWSPEC_INLINE Float8 load(const Half* from) {
  UShort8 halves;
  std::memcpy(&halves, from, sizeof halves);
  const UInt8 h = __builtin_convertvector(halves, UInt8);
  const UInt8 zero = {};
  const UInt8 magnitude = h & 0x7fffU;
  const UInt8 exponent = h & 0x7c00U;
  // The exponent's bias changes from 15 to 127; infinities keep the largest exponent.
  const UInt8 rebias = zero + (112U << 23);
  UInt8 bits = (magnitude << 13) + rebias + (exponent == 0x7c00U ? rebias : zero);
  bits |= magnitude > 0x7c00U ? zero + 0x400000U : zero;
  const Int8 units = __builtin_bit_cast(Int8, magnitude);
  const Float8 tiny = __builtin_convertvector(units, Float8) * fill(0x1p-24F);
  bits = exponent == 0U ? __builtin_bit_cast(UInt8, tiny) : bits;
  return __builtin_bit_cast(Float8, bits | ((h & 0x8000U) << 16));
}

/// Rounds to nearest, ties to even. Values beyond the range, infinities included, become the
/// largest finite number, 65504; a NaN stays one.
FLOWSPEC_INLINE void store(Half* to, const Float8& v) {
  const UInt8 bits = __builtin_bit_cast(UInt8, v);
  const UInt8 zero = {};
  const UInt8 unlimited = bits & 0x7fffffffU;
  const UInt8 largest = zero + 0x477fe000U;
  const UInt8 magnitude = unlimited > largest ? largest : unlimited;
  // Adds half a unit, or just less if the number is even, then truncates.
  const UInt8 normal = (magnitude + 0xfffU + ((magnitude >> 13) & 1U) - (112U << 23)) >> 13;
  // Between 0.5 and 1 a float's last bit is worth as much as the smallest half: the addition rounds
  // to it.
  const Float8 shifted = __builtin_bit_cast(Float8, magnitude) + fill(0.5F);
  const UInt8 tiny = __builtin_bit_cast(UInt8, shifted) - 0x3f000000U;
  const UInt8 number = magnitude < 0x38800000U ? tiny : normal;
  const UInt8 result = unlimited > 0x7f800000U ? zero + 0x7e00U : number;
  const UShort8 halves = __builtin_convertvector(result | ((bits >> 16) & 0x8000U), UShort8);
  std::memcpy(to, &halves, sizeof halves);
}

}  // namespace simd
}  // namespace flowspec
