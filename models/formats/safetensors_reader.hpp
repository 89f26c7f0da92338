#pragma once
/// The parsed header of a safetensors file. Internal to models/formats: others use SafetensorsFile.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "models/formats/tensor_info.hpp"

namespace flowspec {

struct SafetensorsHeader {
  /// In the order of their bytes. Tensors that cannot be used have a type without a name.
  std::vector<TensorInfo> tensors;
  /// The type of each tensor as the file names it.
  std::vector<std::string> dtypes;
};

/// Reads the header of the file whose content is `bytes`. Throws ModelError.
SafetensorsHeader read_safetensors_header(std::span<const std::byte> bytes,
                                          const std::filesystem::path& path);

}  // namespace flowspec
