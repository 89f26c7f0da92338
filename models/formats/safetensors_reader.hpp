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
  /// In the order of their bytes. The type of those that cannot be used has no name.
  std::vector<TensorInfo> tensors;
  /// For each tensor its type in the file's words.
  std::vector<std::string> dtypes;
};

/// Reads the header of the file that `bytes` are. Throws ModelError.
SafetensorsHeader read_safetensors_header(std::span<const std::byte> bytes,
                                          const std::filesystem::path& path);

}  // namespace flowspec
