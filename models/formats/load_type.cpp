#include "models/formats/load_type.hpp"

#include <algorithm>

#include "models/formats/tensor_info.hpp"

namespace flowspec {
namespace {

std::optional<TensorType> stored_as(LoadType type) {
  switch (type) {
    case LoadType::q8_0:
      return TensorType::q8_0;
    case LoadType::q4_0:
      return TensorType::q4_0;
    case LoadType::as_is:
      break;
  }
  return std::nullopt;
}

double bytes_per_value(TensorType type) {
  const BlockLayout layout = *block_layout(type);
  return static_cast<double>(layout.bytes) / layout.values;
}

}  // namespace

const char* name_of(LoadType type) {
  switch (type) {
    case LoadType::q8_0:
      return "q8_0";
    case LoadType::q4_0:
      return "q4_0";
    case LoadType::as_is:
      break;
  }
  return "as-is";
}

std::optional<LoadType> load_type_named(std::string_view name) {
  const auto* found = std::ranges::find(
      load_types, name, [](LoadType type) { return std::string_view(name_of(type)); });
  return found == load_types.end() ? std::nullopt : std::optional(*found);
}

std::optional<double> bytes_per_weight(LoadType type) {
  const auto wanted = stored_as(type);
  return wanted ? std::optional(bytes_per_value(*wanted)) : std::nullopt;
}

TensorType loaded_type(const TensorInfo& matrix, LoadType type) {
  const auto wanted = stored_as(type);
  if (!wanted || matrix.shape.front() % block_layout(*wanted)->values != 0 ||
      bytes_per_value(matrix.type) <= bytes_per_value(*wanted))
    return matrix.type;
  return *wanted;
}

}  // namespace flowspec
