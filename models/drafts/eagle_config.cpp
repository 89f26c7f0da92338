#include "models/drafts/eagle_config.hpp"

#include <string>

#include "models/config/json_config.hpp"
#include "models/config/rules.hpp"

namespace flowspec {

EagleConfig read_eagle_config(const std::filesystem::path& path) {
  const JsonConfig json(path, "Give the config.json that came with the EAGLE head.");
  /// Whatever changes the result and is not computed must not pass unseen.
  const auto refuse = [&json](const std::string& feature) {
    json.fail("the EAGLE head " + feature + ", which is not supported",
              "Use a plain EAGLE-1 or EAGLE-2 head.");
  };
  EagleConfig result;
  ModelConfig& config = result.model;
  config.architecture = "llama";
  config.name = std::filesystem::absolute(path).parent_path().filename().string();
  config.layers = json.size("num_hidden_layers", 1, config_rules::max_size);
  if (config.layers != 1) {
    refuse("has " + std::to_string(config.layers) + " layers");
  }
  if (json.text("hidden_act").value_or("silu") != "silu") {
    refuse("has another activation than silu ('hidden_act')");
  }
  if (json.boolean("attention_bias", false) || json.boolean("mlp_bias", false)) {
    refuse("has biases in its layer ('attention_bias', 'mlp_bias')");
  }
  config.hidden_size = json.size("hidden_size", {}, config_rules::max_size);
  config.ffn_size = json.size("intermediate_size", {}, config_rules::max_size);
  config.vocab_size = json.size("vocab_size", {}, config_rules::max_size);
  config.context_length = json.size("max_position_embeddings", 2048, config_rules::max_context);
  read_hf_heads(json, config);
  read_hf_rope(json, config);
  if (config.rope_scaling != RopeScaling{}) {
    refuse("scales RoPE ('rope_scaling')");
  }
  config.rms_eps = static_cast<float>(json.positive("rms_norm_eps", 1e-6));
  result.has_bias = json.boolean("bias", true);
  return result;
}

}  // namespace flowspec
