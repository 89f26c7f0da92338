#include "models/formats/tensor_type.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>

#include "models/base/error.hpp"
#include "models/formats/block_quants.hpp"
#include "models/formats/k_quants.hpp"

namespace flowspec {
namespace {

struct TypeEntry {
  std::uint32_t id;
  std::string_view name;
  BlockLayout layout;
};

// Sizes are those of ggml's block structs; most are only needed to check a file's bounds.
constexpr std::array type_table{
    TypeEntry{0, "F32", {1, 4}},         TypeEntry{1, "F16", {1, 2}},
    TypeEntry{2, "Q4_0", {32, 18}},      TypeEntry{3, "Q4_1", {32, 20}},
    TypeEntry{6, "Q5_0", {32, 22}},      TypeEntry{7, "Q5_1", {32, 24}},
    TypeEntry{8, "Q8_0", {32, 34}},      TypeEntry{9, "Q8_1", {32, 36}},
    TypeEntry{10, "Q2_K", {256, 84}},    TypeEntry{11, "Q3_K", {256, 110}},
    TypeEntry{12, "Q4_K", {256, 144}},   TypeEntry{13, "Q5_K", {256, 176}},
    TypeEntry{14, "Q6_K", {256, 210}},   TypeEntry{15, "Q8_K", {256, 292}},
    TypeEntry{16, "IQ2_XXS", {256, 66}}, TypeEntry{17, "IQ2_XS", {256, 74}},
    TypeEntry{18, "IQ3_XXS", {256, 98}}, TypeEntry{19, "IQ1_S", {256, 50}},
    TypeEntry{20, "IQ4_NL", {32, 18}},   TypeEntry{21, "IQ3_S", {256, 110}},
    TypeEntry{22, "IQ2_S", {256, 82}},   TypeEntry{23, "IQ4_XS", {256, 136}},
    TypeEntry{24, "I8", {1, 1}},         TypeEntry{25, "I16", {1, 2}},
    TypeEntry{26, "I32", {1, 4}},        TypeEntry{27, "I64", {1, 8}},
    TypeEntry{28, "F64", {1, 8}},        TypeEntry{29, "IQ1_M", {256, 56}},
    TypeEntry{30, "BF16", {1, 2}},       TypeEntry{34, "TQ1_0", {256, 54}},
    TypeEntry{35, "TQ2_0", {256, 66}},   TypeEntry{39, "MXFP4", {32, 17}},
};

const TypeEntry* find_entry(TensorType type) {
  const auto* it = std::find_if(type_table.begin(), type_table.end(), [type](const TypeEntry& e) {
    return e.id == static_cast<std::uint32_t>(type);
  });
  return it == type_table.end() ? nullptr : it;
}

// Branch-free, so that the compiler vectorises the loop over a row.
inline float half_to_float(std::uint16_t half) {
  const std::uint32_t h = half;
  const std::uint32_t exponent = h & 0x7c00u;
  const std::uint32_t rebias = 112u << 23;
  const std::uint32_t normal = ((h & 0x7fffu) << 13) + rebias + (exponent == 0x7c00u ? rebias : 0u);
  const auto tiny = std::bit_cast<std::uint32_t>(
      static_cast<float>(static_cast<std::int32_t>(h & 0x3ffu)) * 0x1p-24f);
  const std::uint32_t magnitude = exponent == 0 ? tiny : normal;
  return std::bit_cast<float>(magnitude | ((h & 0x8000u) << 16));
}

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace

std::optional<TensorType> type_named(std::string_view name) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
  const auto* it = std::ranges::find_if(type_table, [&](const TypeEntry& entry) {
    return std::ranges::equal(entry.name, name, {}, {}, upper);
  });
  return it == type_table.end() ? std::nullopt : std::optional(TensorType{it->id});
}

std::string type_name(TensorType type) {
  const TypeEntry* entry = find_entry(type);
  return entry != nullptr ? std::string(entry->name)
                          : "type " + std::to_string(static_cast<std::uint32_t>(type));
}

std::optional<BlockLayout> block_layout(TensorType type) {
  const TypeEntry* entry = find_entry(type);
  return entry != nullptr ? std::optional(entry->layout) : std::nullopt;
}

bool is_supported(TensorType type) {
  switch (type) {
    case TensorType::f32:
    case TensorType::f16:
    case TensorType::bf16:
    case TensorType::q8_0:
    case TensorType::q4_0:
    case TensorType::q4_1:
    case TensorType::q5_0:
    case TensorType::q5_1:
    case TensorType::q4_k:
    case TensorType::q5_k:
    case TensorType::q6_k:
      return true;
  }
  return false;
}

std::string supported_types() {
  return "F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q5_1, Q5_0, Q4_K, Q4_1, Q4_0";
}

float f16_to_float(std::uint16_t bits) {
  return half_to_float(bits);
}

std::uint16_t float_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u)
    return static_cast<std::uint16_t>(sign | 0x7e00u);
  // From 65520 on the nearest half would be 65536.
  if (magnitude >= 0x477ff000u)
    return static_cast<std::uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {
    // Between 0.5 and 1 a float's last bit is worth as much as the smallest half: the addition
    // rounds to it.
    const auto shifted = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f);
    return static_cast<std::uint16_t>(sign | (shifted - 0x3f000000u));
  }
  // Adds half a unit, or just less if the number is even, then truncates.
  const std::uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u) - (112u << 23);
  return static_cast<std::uint16_t>(sign | rounded >> 13);
}

namespace {

using BlockConverter = void (*)(const std::byte* from, float* to);

/// Null for types without blocks.
BlockConverter block_converter(TensorType type) {
  switch (type) {
    case TensorType::q8_0:
      return q8_0_block;
    case TensorType::q4_0:
      return q4_0_block;
    case TensorType::q4_1:
      return q4_1_block;
    case TensorType::q5_0:
      return q5_0_block;
    case TensorType::q5_1:
      return q5_1_block;
    case TensorType::q4_k:
      return q4_k_block;
    case TensorType::q5_k:
      return q5_k_block;
    case TensorType::q6_k:
      return q6_k_block;
    case TensorType::f32:
    case TensorType::f16:
    case TensorType::bf16:
      break;
  }
  return nullptr;
}

}  // namespace

void to_float(TensorType type, std::span<const std::byte> in, std::span<float> out) {
  if (!is_supported(type)) {
    throw ModelError("tensor type " + type_name(type) + " is not supported; supported are " +
                     supported_types() + ". Convert the model to one of these.");
  }
  const BlockLayout layout = *block_layout(type);
  const std::size_t blocks = out.size() / layout.values;
  if (out.size() % layout.values != 0 || in.size() % layout.bytes != 0 ||
      in.size() / layout.bytes != blocks) {
    throw ModelError("a " + type_name(type) + " tensor of " + std::to_string(out.size()) +
                     " values cannot be read from " + std::to_string(in.size()) + " bytes");
  }
  if (out.empty())
    return;
  const std::byte* from = in.data();
  if (const BlockConverter convert = block_converter(type)) {
    for (std::size_t b = 0; b < blocks; ++b)
      convert(from + b * layout.bytes, out.data() + b * layout.values);
  } else if (type == TensorType::f32) {
    std::memcpy(out.data(), from, in.size());
  } else {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto bits = load<std::uint16_t>(from + 2 * i);
      out[i] = type == TensorType::f16
                   ? half_to_float(bits)
                   : std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
    }
  }
}

}  // namespace flowspec
