#pragma once

#include <span>
#include <string>

#include "models/formats/tensor_type.hpp"

namespace flowspec::test {

/// Converts float32 to any supported type: to F16, BF16, Q8_0 and Q4_0 as every tool does, to the
/// others so that the values come near.
std::string convert(TensorType type, std::span<const float> values);

}  // namespace flowspec::test
