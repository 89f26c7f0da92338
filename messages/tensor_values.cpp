#include "messages/tensor_values.hpp"

#include <bit>
#include <cstring>

#include "messages/codec.hpp"

namespace flowspec {

namespace {

constexpr auto f16 = static_cast<HiddenType>(schema::HiddenType::F16);
constexpr auto bf16 = static_cast<HiddenType>(schema::HiddenType::BF16);

constexpr std::uint32_t infinity = 0x7f800000U;
/// A float16's exponent has a bias of 15, a float's of 127.
constexpr std::uint32_t rebias = (127U - 15U) << 23U;
constexpr std::uint32_t least_normal_half = 0x38800000U;

std::uint16_t half_of(float value) {
  auto bits = std::bit_cast<std::uint32_t>(value);
  auto magnitude = bits & 0x7fffffffU;
  auto sign = (bits >> 16U) & 0x8000U;
  std::uint32_t half = 0;
  if (magnitude >= infinity)
    half = 0x7c00U | (magnitude > infinity ? 0x200U : 0U);
  else if (magnitude < least_normal_half)
    half = static_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * 0x1p24F);
  else
    half = (magnitude - rebias) >> 13U;
  return static_cast<std::uint16_t>(sign | half);
}

float float_of_half(std::uint16_t half) {
  std::uint32_t magnitude = half & 0x7fffU;
  auto sign = static_cast<std::uint32_t>(half & 0x8000U) << 16U;
  std::uint32_t bits = 0;
  if (magnitude >= 0x7c00U)
    bits = infinity | (magnitude << 13U);
  else if (magnitude < 0x400U)
    bits = std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1p-24F);
  else
    bits = (magnitude << 13U) + rebias;
  return std::bit_cast<float>(sign | bits);
}

std::uint16_t packed(HiddenType type, float value) {
  if (type == f16)
    return half_of(value);
  auto bits = std::bit_cast<std::uint32_t>(value);
  // A NaN stays one if the bits that tell it from infinity are cut off.
  auto quiet = (bits & 0x7fffffffU) > infinity ? 0x40U : 0U;
  return static_cast<std::uint16_t>((bits >> 16U) | quiet);
}

float unpacked(HiddenType type, std::uint16_t value) {
  return type == f16 ? float_of_half(value)
                     : std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16U);
}

}  // namespace

std::size_t bytes_of_value(HiddenType type) {
  return type == f16 || type == bf16 ? sizeof(std::uint16_t) : sizeof(float);
}

void pack(HiddenType type, std::span<const float> values, std::uint8_t* bytes) {
  if (values.empty())
    return;
  if (bytes_of_value(type) == sizeof(float)) {
    std::memcpy(bytes, values.data(), values.size_bytes());
    return;
  }
  for (float value : values) {
    auto half = packed(type, value);
    std::memcpy(bytes, &half, sizeof half);
    bytes += sizeof half;
  }
}

void unpack(HiddenType type, const std::uint8_t* bytes, std::span<float> values) {
  if (bytes_of_value(type) == sizeof(float)) {
    std::memcpy(values.data(), bytes, values.size_bytes());
    return;
  }
  for (float& value : values) {
    std::uint16_t half = 0;
    std::memcpy(&half, bytes, sizeof half);
    value = unpacked(type, half);
    bytes += sizeof half;
  }
}

}  // namespace flowspec
