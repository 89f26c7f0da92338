#pragma once

#include <cstdint>

namespace flowspec {

/// What multiplies by a float32 weight matrix.
enum class LinearForm : std::uint8_t {
  /// `matmul` if oneDNN's kernel is known to be batch-invariant, else `packed`.
  automatic,
  /// Our own products, models/ops/packed, whose bits are the same on every CPU.
  packed,
  /// oneDNN's matrix product, whatever its kernel.
  matmul,
};

}  // namespace flowspec
