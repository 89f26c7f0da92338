#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "models/formats/gguf.hpp"

namespace flowspec::test {

/// A model as transformers save it, with the weights of a GGUF file: of the architectures that
/// `make_llama` writes, of F32, F16 or BF16 tensors.
struct HfWriter {
  /// Takes config and weights. The rows of LLaMA's query and key matrices go back to where they
  /// were before the conversion to GGUF.
  explicit HfWriter(const GgufFile& file);

  /// Writes the folder, the weights in `shards` files; with an index if they are more than one.
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
