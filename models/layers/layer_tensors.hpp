#pragma once

#include <array>
#include <cstdint>

namespace flowspec {

class ModelFiles;
struct ModelConfig;
struct TensorInfo;

/// The tensors of one layer, wherever they come from; their shapes have been checked.
struct LayerTensors {
  /// Null: the layer has no norm before its attention.
  const TensorInfo* attention_norm = nullptr;
  /// Query, key, value.
  std::array<const TensorInfo*, 3> qkv{};
  /// All null: no biases. The same goes for the other biases.
  std::array<const TensorInfo*, 3> qkv_bias{};
  /// Null: queries and keys are not normalised.
  const TensorInfo* q_norm = nullptr;
  const TensorInfo* k_norm = nullptr;
  std::array<const TensorInfo*, 1> output{};
  std::array<const TensorInfo*, 1> output_bias{};
  const TensorInfo* ffn_norm = nullptr;
  std::array<const TensorInfo*, 2> gate_up{};
  std::array<const TensorInfo*, 2> gate_up_bias{};
  std::array<const TensorInfo*, 1> down{};
  std::array<const TensorInfo*, 1> down_bias{};
  /// Bytes that all of them take in the files.
  std::uint64_t stored_bytes = 0;
};

/// Finds the tensors that the configuration asks for. Throws ModelError for tensors that are
/// missing, misshapen, or of types that cannot be read.
LayerTensors find_layer_tensors(const ModelFiles& files, const ModelConfig& config,
                                std::uint32_t layer);
/// The same for a layer whose query, key and value have this many inputs.
LayerTensors find_layer_tensors(const ModelFiles& files, const ModelConfig& config,
                                std::uint32_t layer, std::uint64_t qkv_inputs);
const TensorInfo& find_embedding(const ModelFiles& files, const ModelConfig& config);
const TensorInfo& find_output_norm(const ModelFiles& files, const ModelConfig& config);
/// The embedding if embeddings are tied.
const TensorInfo& find_output_matrix(const ModelFiles& files, const ModelConfig& config);

/// Finds all tensors of the model and throws as above. Also throws, naming it, if there is a tensor
/// that none of these functions asks for, since it would change the result. Only RoPE frequencies
/// are allowed, which follow from the configuration or have been read with it.
void check_tensors(const ModelFiles& files, const ModelConfig& config);

}  // namespace flowspec
