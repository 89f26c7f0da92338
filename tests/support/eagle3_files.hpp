#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace flowspec::test {

/// Who writes the file; see models/drafts/eagle3_config.hpp.
enum class Eagle3Dialect : std::uint8_t {
  safeailab,
  specforge,
  angelslim,
  speculators,
  nvidia,
  gguf,
};
inline constexpr std::array all_eagle3_dialects{
    Eagle3Dialect::safeailab,   Eagle3Dialect::specforge, Eagle3Dialect::angelslim,
    Eagle3Dialect::speculators, Eagle3Dialect::nvidia,    Eagle3Dialect::gguf};
std::string name_of(Eagle3Dialect dialect);

struct Eagle3Shape {
  std::uint32_t hidden_size = 32;
  std::uint32_t target_hidden_size = 32;
  std::uint32_t layers = 1;
  std::uint32_t heads = 4;
  std::uint32_t kv_heads = 2;
  /// 0: hidden_size / heads, and the file does not have it.
  std::uint32_t head_dim = 0;
  std::uint32_t ffn_size = 40;
  std::uint32_t vocab_size = 320;
  /// Equal to vocab_size: no d2t.
  std::uint32_t draft_vocab_size = 100;
  /// Inputs of these layers. Empty: the last hidden state, and no fc.
  std::vector<std::uint32_t> taps{2, 4, 5};
  /// The file leaves the taps to the default, which in a target of 8 layers is 2, 4, 5.
  bool default_taps = false;
  bool norm_before_residual = false;
  bool norm_before_fc = false;
  bool fc_norm = false;
  bool norm_output = false;
  /// Layers of Qwen3: with norms of heads.
  bool qwen3 = false;
  bool qkv_bias = false;
  bool own_embedding = true;
  bool own_output = true;
  float rope_theta = 10000;
  float rms_eps = 1e-5F;
};

/// An EAGLE-3 head with random weights, which a half holds exactly. It may be changed before it is
/// written. It takes less than 100 kB.
struct Eagle3Files {
  struct Tensor {
    /// {outputs, inputs}.
    std::vector<std::uint64_t> shape;
    std::vector<float> values;
  };

  Eagle3Files(Eagle3Dialect dialect, const Eagle3Shape& shape, std::uint64_t seed);
  /// Writes config.json and model.safetensors, or head.gguf.
  void write(const std::filesystem::path& folder) const;

  Eagle3Dialect dialect;
  Eagle3Shape shape;
  /// By the names of speculators, whatever the dialect: "layers.0.self_attn.q_proj.weight".
  std::map<std::string, Tensor> tensors;
  /// The target's token for each of the draft's. Empty: no d2t.
  std::vector<std::int64_t> draft_to_target;
  /// Of config.json: keys to JSON text, at the top, in `eagle_config`, in
  /// `transformer_layer_config`.
  std::map<std::string, std::string> config;
  std::map<std::string, std::string> eagle_config;
  std::map<std::string, std::string> layer_config;

 private:
  void make_tensors(std::uint64_t seed);
  void make_config();
  void write_folder(const std::filesystem::path& folder) const;
  void write_gguf(const std::filesystem::path& file) const;
};

}  // namespace flowspec::test
