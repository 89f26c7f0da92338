#pragma once
/// ggml's quantised types with blocks of 32 values: a float16 scale, a float16 minimum in types
/// whose name ends in 1, then the integers. Read all of them, write two.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "models/formats/tensor_type.hpp"

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

// 32 floats to one block, to the bit as ggml's quantize_row_q8_0_ref and quantize_row_q4_0_ref do.
// Where those are undefined: a block with a NaN or an infinite value gets the scale NaN, so that
// all products with it are NaN; one whose scale has no finite inverse is zero.
/// The value of the largest magnitude becomes 127 or -127.
void to_q8_0_block(const float* in, std::byte* out);
/// The value of the largest magnitude, the first of them, becomes -8.
void to_q4_0_block(const float* in, std::byte* out);

/// Writes a row of floats in blocks of the type, which is Q8_0 or Q4_0.
/// @param in   a multiple of 32 values.
/// @param out  as many bytes as their blocks take.
void quantise_row(TensorType type, std::span<const float> in, std::span<std::byte> out);

}  // namespace flowspec
