#pragma once
/// ggml's quantised types with blocks of 32 values: a float16 scale, a float16 minimum in types
/// whose name ends in 1, then the integers.

#include <array>
#include <cstddef>
#include <cstdint>

namespace flowspec {

/// The 5-bit integers, 0 to 31, of a Q5_0 or Q5_1 block.
/// @param packed  4 bytes with the fifth bits, bit i for value i; then 16 bytes, whose low halves
///                hold the first 16 values and whose high halves hold the others.
std::array<std::uint8_t, 32> unpack_fives(const std::byte* packed);

// One block to 32 floats; each operation of the formula is rounded.
/// scale * q
void q8_0_block(const std::byte* in, float* out);
/// scale * (q - 8)
void q4_0_block(const std::byte* in, float* out);
/// scale * (q - 16)
void q5_0_block(const std::byte* in, float* out);
/// scale * q + minimum
void q4_1_block(const std::byte* in, float* out);
void q5_1_block(const std::byte* in, float* out);

}  // namespace flowspec
