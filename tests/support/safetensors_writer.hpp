#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "models/formats/tensor_type.hpp"

namespace flowspec::test {

/// Builds a safetensors file in memory. It checks nothing, so that broken files can be made too.
class SafetensorsWriter {
 public:
  /// @param shape  as the file says it: {outputs, inputs}.
  void add_tensor(const std::string& name, TensorType type, std::vector<std::uint64_t> shape,
                  std::span<const float> values);
  void add_raw_tensor(const std::string& name, const std::string& dtype,
                      const std::vector<std::uint64_t>& shape, const std::string& bytes);

  /// The whole file.
  std::string bytes() const;
  void write(const std::filesystem::path& path) const;

 private:
  std::string entries_;
  std::string data_;
};

/// A file with this header and what follows it.
std::string safetensors_file(const std::string& header, const std::string& data);

}  // namespace flowspec::test
