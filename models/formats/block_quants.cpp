#include "models/formats/block_quants.hpp"

#include <cstring>

#include "models/formats/tensor_type.hpp"

namespace flowspec {
namespace {

float half_at(const std::byte* at) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  return f16_to_float(bits);
}

/// The low halves of 16 bytes hold a block's first 16 values, the high halves the other 16.
std::array<std::uint8_t, 32> unpack_fours(const std::byte* packed) {
  std::array<std::uint8_t, 32> values{};
  for (std::size_t i = 0; i < 16; ++i) {
    const auto both = std::to_integer<unsigned>(packed[i]);
    values[i] = static_cast<std::uint8_t>(both & 15);
    values[i + 16] = static_cast<std::uint8_t>(both >> 4);
  }
  return values;
}

void less_offset(float scale, const std::array<std::uint8_t, 32>& values, int offset, float* out) {
  for (std::size_t i = 0; i < 32; ++i)
    out[i] = scale * static_cast<float>(values[i] - offset);
}

void plus_minimum(float scale, float minimum, const std::array<std::uint8_t, 32>& values,
                  float* out) {
  for (std::size_t i = 0; i < 32; ++i)
    out[i] = scale * static_cast<float>(values[i]) + minimum;
}

}  // namespace

std::array<std::uint8_t, 32> unpack_fives(const std::byte* packed) {
  std::array<std::uint8_t, 32> values = unpack_fours(packed + 4);
  for (std::size_t i = 0; i < 32; ++i) {
    const unsigned fifth = std::to_integer<unsigned>(packed[i / 8]) >> i % 8 & 1;
    values[i] = static_cast<std::uint8_t>(values[i] | fifth << 4);
  }
  return values;
}

void q8_0_block(const std::byte* in, float* out) {
  const float scale = half_at(in);
  for (std::size_t i = 0; i < 32; ++i)
    out[i] = scale * static_cast<float>(static_cast<std::int8_t>(in[2 + i]));
}

void q4_0_block(const std::byte* in, float* out) {
  less_offset(half_at(in), unpack_fours(in + 2), 8, out);
}

void q5_0_block(const std::byte* in, float* out) {
  less_offset(half_at(in), unpack_fives(in + 2), 16, out);
}

void q4_1_block(const std::byte* in, float* out) {
  plus_minimum(half_at(in), half_at(in + 2), unpack_fours(in + 4), out);
}

void q5_1_block(const std::byte* in, float* out) {
  plus_minimum(half_at(in), half_at(in + 2), unpack_fives(in + 4), out);
}

}  // namespace flowspec
