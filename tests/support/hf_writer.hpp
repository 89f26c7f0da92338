#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "models/formats/gguf.hpp"

namespace flowspec::test {

/// A model as transformers saves it, with the weights of a GGUF file of an architecture that
/// `make_llama` writes, in F32, F16 or BF16.
struct HfWriter {
  /// Copies config and weights. The rows of LLaMA's query and key matrices get the order back that
  /// they had before the conversion to GGUF.
  explicit HfWriter(const GgufFile& file);

  /// Writes the folder, with the weights in `shards` files, and an index if there are several.
  void write(const std::filesystem::path& folder, std::size_t shards = 1) const;

  struct Tensor {
    TensorType type = TensorType::f32;
    std::vector<std::uint64_t> shape;
    std::string bytes;
  };

  /// JSON values by key.
  std::map<std::string, std::string> config;
  std::map<std::string, Tensor> tensors;
};

}  // namespace flowspec::test
