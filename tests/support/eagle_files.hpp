#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "models/formats/tensor_type.hpp"

namespace flowspec::test {

struct EagleShape {
  std::uint32_t hidden_size = 64;
  std::uint32_t heads = 4;
  std::uint32_t kv_heads = 4;
  /// 0: hidden_size / heads, and the file does not have it.
  std::uint32_t head_dim = 0;
  std::uint32_t ffn_size = 96;
  std::uint32_t vocab_size = 320;
  float rope_theta = 10000;
  float rms_eps = 1e-5F;
  bool bias = true;
};

/// An EAGLE head with random weights. It may be changed before it is written.
struct EagleFiles {
  struct Tensor {
    /// As in the file: {outputs, inputs}.
    std::vector<std::uint64_t> shape;
    std::vector<float> values;
  };

  EagleFiles(const EagleShape& shape, std::uint64_t seed);
  /// Writes config.json and model.safetensors.
  void write(const std::filesystem::path& folder, TensorType type = TensorType::f32) const;

  std::map<std::string, Tensor> tensors;
  /// Key to JSON text.
  std::map<std::string, std::string> config;
};

}  // namespace flowspec::test
