#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "models/formats/tensor_type.hpp"

namespace flowspec {

struct TensorInfo;

/// What the matrices of a model become when they are loaded.
enum class LoadType : std::uint8_t { as_is, q8_0, q4_0 };

inline constexpr std::array load_types{LoadType::as_is, LoadType::q8_0, LoadType::q4_0};

/// "as-is", "q8_0", "q4_0".
const char* name_of(LoadType type);
/// Nothing for other names.
std::optional<LoadType> load_type_named(std::string_view name);

/// Bytes of a weight in that type; nothing for `as_is`, where the file decides.
std::optional<double> bytes_per_weight(LoadType type);

/// The type that a matrix gets in memory: that of the file if it takes as few or fewer bits, or if
/// its rows are no whole number of blocks of 32.
TensorType loaded_type(const TensorInfo& matrix, LoadType type);

}  // namespace flowspec
