#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace flowspec {

/// How a tensor's values are stored, numbered as in GGUF. A file may hold numbers that have no name
/// here: such a value is valid, prints as "type 123", and has no layout.
enum class TensorType : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  bf16 = 30,
};

/// Integers, as token ids are stored. They are no weights: `to_float` does not take them.
inline constexpr TensorType type_i32{26};
inline constexpr TensorType type_i64{27};

/// Values are stored in blocks: `values` consecutive values of a row take `bytes` bytes.
struct BlockLayout {
  std::uint32_t values = 1;
  std::uint32_t bytes = 0;
};

/// The name that ggml's tools use, for instance "Q8_0".
std::string type_name(TensorType type);
/// The type with this name, upper or lower case; nothing if there is none.
std::optional<TensorType> type_named(std::string_view name);

/// The layout of every type that ggml defines, whether it is supported or not; empty for numbers
/// that are not known here.
std::optional<BlockLayout> block_layout(TensorType type);

/// True for the types that `to_float` takes.
bool is_supported(TensorType type);

/// "F32, F16, BF16, ...", for messages.
std::string supported_types();

/// Writes the stored values as float32, in the order of the file. `in` is a whole number of blocks;
/// `out` has one element for each of their values. The conversion is exact (for Q8_0, Q5_0 and
/// Q4_0: one product of scale and integer, which needs no rounding), except for Q5_1 and Q4_1,
/// which add the minimum to it, and K-quants, whose values are products of three numbers and
/// differences of such products. Throws ModelError for a type that is not supported or sizes that
/// do not match.
void to_float(TensorType type, std::span<const std::byte> in, std::span<float> out);

/// IEEE 754 binary16 to binary32; exact, NaN payloads kept.
float f16_to_float(std::uint16_t bits);

/// IEEE 754 binary32 to binary16: to nearest, ties to even; too large values become infinite, any
/// NaN the quiet one.
std::uint16_t float_to_f16(float value);

}  // namespace flowspec
