#include "models/drafts/eagle_config.hpp"

#include <algorithm>
#include <string>

#include "models/config/json_config.hpp"
#include "models/config/rules.hpp"
#include "models/formats/safetensors.hpp"

namespace flowspec {
namespace {

constexpr const char* advice = "Give the config.json that came with the EAGLE head.";

/// "LlamaForCausalLMEagle3", "eagle3", "Eagle3DraftModel", "EAGLE-3".
bool has_eagle3_name(const std::string& name) {
  std::string letters;
  for (const char c : name)
    if (c != '-' && c != '_')
      letters += c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return letters.find("eagle3") != letters.npos;
}

}  // namespace

bool is_eagle3(const std::filesystem::path& config) {
  const JsonConfig json(config, advice);
  for (const char* key : {"draft_vocab_size", "eagle_aux_hidden_state_layer_ids", "eagle_config",
                          "target_hidden_size", "norm_before_residual"})
    if (json.has(key))
      return true;
  for (const char* key : {"architectures", "model_type", "speculators_model_type"}) {
    const auto values = json.any_texts(key);
    if (std::ranges::any_of(values, has_eagle3_name))
      return true;
  }
  return false;
}

bool is_eagle3(const SafetensorsFile& file) {
  for (const TensorInfo& tensor : file.tensors())
    if (tensor.name == "d2t" || tensor.name == "t2d" || tensor.name.starts_with("midlayer.") ||
        tensor.name.ends_with("hidden_norm.weight"))
      return true;
  // An EAGLE-3 head joins the hidden states of three layers; older heads join one with an
  // embedding.
  const TensorInfo* join = file.find("fc.weight");
  return join != nullptr && join->shape.size() == 2 && join->shape[0] == 3 * join->shape[1];
}

EagleConfig read_eagle_config(const std::filesystem::path& path) {
  const JsonConfig json(path, advice);
  /// Refuses an unsupported feature that would change the result.
  const auto refuse = [&json](const std::string& feature) {
    json.fail("the EAGLE head " + feature + ", which is not supported",
              "Use a plain EAGLE-1 or EAGLE-2 head.");
  };
  EagleConfig result;
  ModelConfig& config = result.model;
  config.architecture = "llama";
  config.name = std::filesystem::absolute(path).parent_path().filename().string();
  config.layers = json.size("num_hidden_layers", 1, config_rules::max_size);
  if (config.layers != 1)
    refuse("has " + std::to_string(config.layers) + " layers");
  if (json.text("hidden_act").value_or("silu") != "silu")
    refuse("has another activation than silu ('hidden_act')");
  if (json.boolean("attention_bias", false) || json.boolean("mlp_bias", false))
    refuse("has biases in its layer ('attention_bias', 'mlp_bias')");
  config.hidden_size = json.size("hidden_size", {}, config_rules::max_size);
  config.ffn_size = json.size("intermediate_size", {}, config_rules::max_size);
  config.vocab_size = json.size("vocab_size", {}, config_rules::max_size);
  config.context_length = json.size("max_position_embeddings", 2048, config_rules::max_context);
  read_hf_heads(json, config);
  read_hf_rope(json, config);
  if (config.rope_scaling != RopeScaling{})
    refuse("scales RoPE ('rope_scaling')");
  config.rms_eps = static_cast<float>(json.positive("rms_norm_eps", 1e-6));
  result.has_bias = json.boolean("bias", true);
  return result;
}

}  // namespace flowspec
