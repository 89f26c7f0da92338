#pragma once

#include <cstdint>

namespace flowspec {

/// What multiplies by float32 and by bfloat16 weight matrices; all others have our own products,
/// models/ops/packed, whose bits are the same on every CPU.
enum class LinearForm : std::uint8_t {
  /// Our own products for both.
  packed,
  /// oneDNN's for each of the two where it is known to be batch-invariant, else our own.
  automatic,
  /// oneDNN's for float32 (as with `automatic`), our own for bfloat16.
  f32,
  /// oneDNN's for bfloat16, our own for float32. Loading fails where oneDNN computes otherwise than
  /// models/ops/bf16 defines.
  bf16,
  /// oneDNN's for both, as with `f32` and `bf16`.
  f32_and_bf16,
  /// For float32 oneDNN's, whatever its kernel; for bfloat16 our own.
  matmul,
};

/// Whether the bits of float32 products may be oneDNN's.
constexpr bool has_f32(LinearForm form) {
  return form != LinearForm::packed && form != LinearForm::bf16;
}

/// Whether those of bfloat16 products may be.
constexpr bool has_bf16(LinearForm form) {
  return form == LinearForm::automatic || form == LinearForm::bf16 ||
         form == LinearForm::f32_and_bf16;
}

}  // namespace flowspec
