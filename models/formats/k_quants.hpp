#pragma once
/// ggml's K-quants: super-blocks of 256 values, in sub-blocks with small integer scales.

#include <array>
#include <cstddef>
#include <cstdint>

namespace flowspec {

/// The 6-bit scales and minimums of the 8 sub-blocks of a Q4_K or Q5_K super-block.
struct SubScales {
  std::array<std::uint8_t, 8> scales;
  std::array<std::uint8_t, 8> mins;
};

/// @param packed  the 12 bytes that hold them.
SubScales unpack_scales(const std::byte* packed);

// One super-block to 256 floats. Each value is computed as in the formula; every operation is
// rounded.
/// d * scale * q - dmin * min
void q4_k_block(const std::byte* in, float* out);
void q5_k_block(const std::byte* in, float* out);
/// d * scale * (q - 32)
void q6_k_block(const std::byte* in, float* out);

}  // namespace flowspec
