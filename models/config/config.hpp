#pragma once

#include <cstdint>
#include <string>

#include "models/config/rope_scaling.hpp"

namespace flowspec {

class GgufFile;
class HfFolder;

/// The shape of a decoder-only transformer: LLaMA and its relatives.
struct ModelConfig {
  /// As the files name it: "llama" (in GGUF also Mistral), "mistral", "qwen2", "qwen3".
  std::string architecture;
  /// For people: general.name, or the name of the file or folder.
  std::string name;
  std::uint32_t hidden_size = 0;
  std::uint32_t layers = 0;
  std::uint32_t heads = 0;
  /// Divides `heads`.
  std::uint32_t kv_heads = 0;
  /// hidden_size / heads unless the file says otherwise.
  std::uint32_t head_dim = 0;
  std::uint32_t ffn_size = 0;
  /// Rows of the embedding; at least as many as the vocabulary has tokens.
  std::uint32_t vocab_size = 0;
  /// In tokens, as the file says. Some files say less than the model was trained for. A caller may
  /// set another value: nothing else depends on it.
  std::uint32_t context_length = 0;
  /// Sliding window: the most tokens that the model attends to; 0: all. Windows are not computed,
  /// so a text must not be longer than the window; up to that length the result is the same.
  std::uint32_t attention_window = 0;
  /// The first `rope_dims` values of a head are rotated; even, at most head_dim.
  std::uint32_t rope_dims = 0;
  float rope_theta = 10000;
  RopeLayout rope_layout = RopeLayout::pairs;
  RopeScaling rope_scaling;
  float rms_eps = 1e-5F;
  /// Query, key and value have biases.
  bool qkv_bias = false;
  /// The output matrix of the attention has a bias.
  bool output_bias = false;
  /// Gate, up and down have biases.
  bool ffn_bias = false;
  /// Each head of query and key has an RMSNorm of its own, before the rotation.
  bool qk_norm = false;
  /// The embedding is also the output matrix.
  bool tied_embeddings = false;

  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

/// Reads the configuration, with the defaults of llama.cpp or transformers for keys that are
/// missing. Throws ModelError, which names the key, for other architectures, for unsupported
/// features that would change the result (experts, quantised checkpoints, ...), and for values that
/// contradict each other.
ModelConfig read_config(const GgufFile& file);
ModelConfig read_config(const HfFolder& folder);

}  // namespace flowspec
