#include "models/kernels/rounding.hpp"

#include <bit>
#include <cstdint>

namespace flowspec::kernels {
namespace {

constexpr std::uint32_t sign_bit = 0x80000000U;
constexpr std::uint32_t infinity = 0x7f800000U;

/// Cuts a magnitude's last `bits` bits: half a unit more, or just less if the number is even.
constexpr std::uint32_t round_bits(std::uint32_t magnitude, unsigned bits) {
  const std::uint32_t half = (1U << (bits - 1)) - 1;
  return (magnitude + half + ((magnitude >> bits) & 1U)) & ~((1U << bits) - 1);
}

float to_bf16(float value) {
  constexpr std::uint32_t largest = 0x7f7f0000U;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & ~sign_bit;
  const std::uint32_t rounded = magnitude > largest ? largest : round_bits(magnitude, 16);
  const std::uint32_t result = magnitude >= infinity ? magnitude : rounded;
  return std::bit_cast<float>(result | (bits & sign_bit));
}

float to_f16(float value) {
  constexpr std::uint32_t largest = 0x477fe000U;
  constexpr std::uint32_t least_normal = 0x38800000U;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & ~sign_bit;
  const std::uint32_t normal = magnitude > largest ? largest : round_bits(magnitude, 13);
  // Between 0.5 and 1 a float's last bit is worth as much as the smallest half: the addition rounds
  // to it.
  const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
  const auto tiny = std::bit_cast<std::uint32_t>(shifted - 0.5F);
  const std::uint32_t rounded = magnitude < least_normal ? tiny : normal;
  const std::uint32_t result = magnitude >= infinity ? magnitude : rounded;
  return std::bit_cast<float>(result | (bits & sign_bit));
}

}  // namespace

void round_to(HiddenType type, std::span<float> values) {
  if (type == HiddenType::f16)
    for (float& value : values)
      value = to_f16(value);
  else if (type == HiddenType::bf16)
    for (float& value : values)
      value = to_bf16(value);
}

}  // namespace flowspec::kernels
