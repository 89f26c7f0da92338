#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "models/formats/tensor_type.hpp"

namespace flowspec::test {

/// Converts float32 to any supported type; ties round to even.
std::string convert(TensorType type, std::span<const float> values);
std::uint16_t float_to_f16(float value);

}  // namespace flowspec::test
