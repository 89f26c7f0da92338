#include "models/formats/block_quants.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

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

/// The bits of the largest magnitude: those of infinity or more if a value is not finite.
std::uint32_t largest_magnitude(const float* in) {
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < 32; ++i)
    largest = std::max(largest, std::bit_cast<std::uint32_t>(in[i]) & 0x7fffffffu);
  return largest;
}

bool is_finite(std::uint32_t magnitude) {
  return magnitude < 0x7f800000u;
}

/// What values are multiplied with to become integers.
float inverse(float scale) {
  const float result = 1.0F / scale;
  return std::isfinite(result) ? result : 0;
}

void write_half(float value, std::byte* out) {
  const std::uint16_t bits = float_to_f16(value);
  std::memcpy(out, &bits, sizeof bits);
}

constexpr std::uint16_t nan_half = 0x7e00;

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

void to_q8_0_block(const float* in, std::byte* out) {
  const std::uint32_t largest = largest_magnitude(in);
  if (!is_finite(largest)) {
    std::memcpy(out, &nan_half, sizeof nan_half);
    std::memset(out + 2, 0, 32);
    return;
  }
  const float scale = std::bit_cast<float>(largest) / 127;
  const float factor = inverse(scale);
  write_half(scale, out);
  for (std::size_t i = 0; i < 32; ++i)
    out[2 + i] = static_cast<std::byte>(static_cast<std::int8_t>(std::round(in[i] * factor)));
}

void to_q4_0_block(const float* in, std::byte* out) {
  const std::uint32_t largest = largest_magnitude(in);
  if (!is_finite(largest)) {
    std::memcpy(out, &nan_half, sizeof nan_half);
    std::memset(out + 2, 0x88, 16);
    return;
  }
  const float* extreme = std::find_if(in, in + 32, [largest](float value) {
    return (std::bit_cast<std::uint32_t>(value) & 0x7fffffffu) == largest;
  });
  const float scale = (largest == 0 ? 0.0F : *extreme) / -8;
  const float factor = inverse(scale);
  write_half(scale, out);
  const auto four_bits = [&](float value) {
    return std::min(15U, static_cast<unsigned>(value * factor + 8.5F));
  };
  for (std::size_t i = 0; i < 16; ++i)
    out[2 + i] = static_cast<std::byte>(four_bits(in[i]) | four_bits(in[i + 16]) << 4);
}

void quantise_row(TensorType type, std::span<const float> in, std::span<std::byte> out) {
  const bool is_q8_0 = type == TensorType::q8_0;
  const std::size_t bytes = block_layout(type)->bytes;
  assert((is_q8_0 || type == TensorType::q4_0) && in.size() % 32 == 0);
  assert(out.size() == in.size() / 32 * bytes);
  std::byte* block = out.data();
  for (std::size_t i = 0; i < in.size(); i += 32, block += bytes)
    is_q8_0 ? to_q8_0_block(in.data() + i, block) : to_q4_0_block(in.data() + i, block);
}

}  // namespace flowspec
