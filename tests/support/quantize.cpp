#include "tests/support/quantize.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <stdexcept>

#include "models/formats/block_quants.hpp"
#include "tests/support/bytes_of.hpp"

namespace flowspec::test {
namespace {

template <void (*to_block)(const float*, std::byte*), std::size_t size>
std::string block_of(std::span<const float> values) {
  std::string bytes(size, 0);
  to_block(values.data(), std::as_writable_bytes(std::span(bytes)).data());
  return bytes;
}

std::string pack_fours(std::span<const std::uint8_t> q) {
  std::string bytes;
  for (std::size_t i = 0; i < 16; ++i)
    bytes += static_cast<char>((q[i] & 15) | (q[i + 16] & 15) << 4);
  return bytes;
}

std::string pack_fives(std::span<const std::uint8_t> q) {
  std::uint32_t fifths = 0;
  for (std::size_t i = 0; i < 32; ++i)
    fifths |= std::uint32_t{q[i]} >> 4 << i;
  return bytes_of(fifths) + pack_fours(q);
}

/// Integers from 0 to `most` for (value - least) / scale.
std::uint8_t step_of(float value, float least, float scale, int most) {
  const float q = scale == 0 ? 0 : std::round((value - least) / scale);
  return static_cast<std::uint8_t>(std::clamp(q, 0.0F, static_cast<float>(most)));
}

float scale_read_back(float scale) {
  return f16_to_float(float_to_f16(scale));
}

std::string convert_q5_0(std::span<const float> block) {
  float extreme = 0;
  for (const float value : block)
    extreme = std::abs(value) > std::abs(extreme) ? value : extreme;
  const float scale = extreme / -16;
  std::array<std::uint8_t, 32> q{};
  for (std::size_t i = 0; i < q.size(); ++i)
    q[i] = scale == 0 ? 16 : step_of(block[i], -16 * scale, scale, 31);
  return bytes_of(float_to_f16(scale)) + pack_fives(q);
}

/// Q4_1, or Q5_1 with `most` 31: from the smallest to the largest value.
std::string convert_with_minimum(std::span<const float> block, int most) {
  const float least = scale_read_back(std::ranges::min(block));
  const float scale = scale_read_back((std::ranges::max(block) - least) / static_cast<float>(most));
  std::array<std::uint8_t, 32> q{};
  for (std::size_t i = 0; i < q.size(); ++i)
    q[i] = step_of(block[i], least, scale, most);
  return bytes_of(float_to_f16(scale)) + bytes_of(float_to_f16(least)) +
         (most == 31 ? pack_fives(q) : pack_fours(q));
}

std::string convert_block_of_32(TensorType type, std::span<const float> block) {
  switch (type) {
    case TensorType::q4_0:
      return block_of<to_q4_0_block, 18>(block);
    case TensorType::q4_1:
      return convert_with_minimum(block, 15);
    case TensorType::q5_0:
      return convert_q5_0(block);
    case TensorType::q5_1:
      return convert_with_minimum(block, 31);
    default:
      return block_of<to_q8_0_block, 34>(block);
  }
}

/// Q4_K, or Q5_K with `most` 31: sub-blocks of 32 between their smallest (or 0) and largest value.
std::string convert_nibbles(std::span<const float> block, int most) {
  std::array<float, 8> scales{};
  std::array<float, 8> mins{};
  for (std::size_t s = 0; s < 8; ++s) {
    const auto sub = block.subspan(32 * s, 32);
    mins[s] = std::max(0.0F, -std::ranges::min(sub));
    scales[s] = std::max(0.0F, std::ranges::max(sub) + mins[s]) / static_cast<float>(most);
  }
  const float d = scale_read_back(std::ranges::max(scales) / 63);
  const float dmin = scale_read_back(std::ranges::max(mins) / 63);
  std::array<unsigned, 12> packed{};
  std::array<std::uint8_t, 256> q{};
  for (std::size_t s = 0; s < 8; ++s) {
    const unsigned scale = step_of(scales[s], 0, d, 63);
    const unsigned least = step_of(mins[s], 0, dmin, 63);
    if (s < 4) {
      packed[s] |= scale;
      packed[s + 4] |= least;
    } else {
      packed[s + 4] |= (scale & 15) | (least & 15) << 4;
      packed[s - 4] |= scale >> 4 << 6;
      packed[s] |= least >> 4 << 6;
    }
    for (std::size_t i = 32 * s; i < 32 * s + 32; ++i) {
      q[i] =
          step_of(block[i], -dmin * static_cast<float>(least), d * static_cast<float>(scale), most);
    }
  }
  std::string bytes = bytes_of(float_to_f16(d)) + bytes_of(float_to_f16(dmin));
  for (const unsigned byte : packed)
    bytes += static_cast<char>(byte);
  for (std::size_t i = 0; most == 31 && i < 32; ++i) {
    unsigned byte = 0;
    for (std::size_t s = 0; s < 8; ++s)
      byte |= static_cast<unsigned>(q[32 * s + i] >> 4) << s;
    bytes += static_cast<char>(byte);
  }
  for (std::size_t i = 0; i < 128; ++i) {
    const std::size_t low = i / 32 * 64 + i % 32;
    bytes += static_cast<char>((q[low] & 15) | (q[low + 32] & 15) << 4);
  }
  return bytes;
}

std::string convert_q6_k(std::span<const float> block) {
  std::array<float, 16> scales{};
  for (std::size_t s = 0; s < 16; ++s)
    for (const float value : block.subspan(16 * s, 16))
      scales[s] = std::max(scales[s], std::abs(value) / 31);
  const float d = scale_read_back(std::ranges::max(scales) / 127);
  std::array<std::uint8_t, 256> q{};
  std::string sub;
  for (std::size_t s = 0; s < 16; ++s) {
    const unsigned steps = step_of(scales[s], 0, d, 127);
    const float scale = d * static_cast<float>(steps);
    sub += static_cast<char>(steps);
    for (std::size_t i = 16 * s; i < 16 * s + 16; ++i)
      q[i] = scale == 0 ? 32 : step_of(block[i], -32 * scale, scale, 63);
  }
  std::string low(128, 0);
  std::string high(64, 0);
  for (std::size_t i = 0; i < 256; ++i) {
    const std::size_t part = i % 128;
    low[i / 128 * 64 + part % 64] |= static_cast<char>((q[i] & 15) << (part < 64 ? 0 : 4));
    high[i / 128 * 32 + part % 32] |= static_cast<char>(q[i] >> 4 << part / 32 * 2);
  }
  return low + high + sub + bytes_of(float_to_f16(d));
}

}  // namespace

std::string convert(TensorType type, std::span<const float> values) {
  std::string bytes;
  switch (type) {
    case TensorType::f32:
      for (const float value : values)
        bytes += bytes_of(value);
      return bytes;
    case TensorType::f16:
      for (const float value : values)
        bytes += bytes_of(float_to_f16(value));
      return bytes;
    case TensorType::bf16:
      for (const float value : values) {
        const auto bits = std::bit_cast<std::uint32_t>(value);
        bytes += bytes_of(static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16));
      }
      return bytes;
    case TensorType::q8_0:
    case TensorType::q4_0:
    case TensorType::q4_1:
    case TensorType::q5_0:
    case TensorType::q5_1:
      if (values.size() % 32 != 0)
        throw std::invalid_argument("quantised rows need a multiple of 32 values");
      for (; !values.empty(); values = values.subspan(32))
        bytes += convert_block_of_32(type, values.first(32));
      return bytes;
    case TensorType::q4_k:
    case TensorType::q5_k:
    case TensorType::q6_k:
      if (values.size() % 256 != 0)
        throw std::invalid_argument("K-quantised rows need a multiple of 256 values");
      for (; !values.empty(); values = values.subspan(256)) {
        const auto block = values.first(256);
        bytes += type == TensorType::q6_k
                     ? convert_q6_k(block)
                     : convert_nibbles(block, type == TensorType::q4_k ? 15 : 31);
      }
      return bytes;
  }
  throw std::invalid_argument("cannot write tensors of " + type_name(type));
}

}  // namespace flowspec::test
