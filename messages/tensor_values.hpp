#pragma once
/// Private to this folder: the values of a tensor as they travel.

#include <cstddef>
#include <cstdint>
#include <span>

#include "messages/types.hpp"

namespace flowspec {

/// Bytes of one value.
std::size_t bytes_of_value(HiddenType type);

/// Values to bytes, `bytes_of_value` each. The values have to be exact in the type, as the stages
/// round them; of others the low bits are cut off.
void pack(HiddenType type, std::span<const float> values, std::uint8_t* bytes);

/// Exact. `bytes` are values.size() x bytes_of_value.
void unpack(HiddenType type, const std::uint8_t* bytes, std::span<float> values);

}  // namespace flowspec
