#pragma once

#include <cstdint>
#include <string>

namespace flowspec {

class GgufFile;

/// The shape of a LLaMA model.
struct ModelConfig {
  /// "llama".
  std::string architecture;
  /// For people: general.name, or the file's name.
  std::string name;
  std::uint32_t hidden_size = 0;
  std::uint32_t layers = 0;
  std::uint32_t heads = 0;
  /// Divides `heads`.
  std::uint32_t kv_heads = 0;
  /// hidden_size / heads unless the file says otherwise.
  std::uint32_t head_dim = 0;
  std::uint32_t ffn_size = 0;
  /// Rows of the embedding; as many as the vocabulary has tokens.
  std::uint32_t vocab_size = 0;
  /// As the file says it, in tokens. Some files say less than the model was trained for; a caller
  /// may set another value, nothing else depends on it.
  std::uint32_t context_length = 0;
  /// The first `rope_dims` values of a head are rotated; even, at most head_dim.
  std::uint32_t rope_dims = 0;
  float rope_theta = 10000;
  float rms_eps = 1e-5F;

  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

/// Reads the configuration, with llama.cpp's defaults for keys that are missing. Throws ModelError
/// for another architecture, for features that would change the result and are not computed (RoPE
/// scaling, experts, ...), and for values that contradict each other.
ModelConfig read_config(const GgufFile& file);

}  // namespace flowspec
