#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "models/config/config.hpp"
#include "models/config/json_config.hpp"
#include "models/config/rules.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/hf_folder.hpp"

namespace flowspec {
namespace {

using config_rules::max_context;
using config_rules::max_layers;
using config_rules::max_size;

constexpr std::string_view model_types[] = {"llama", "mistral", "qwen2", "qwen3"};

std::string read_model_type(const JsonConfig& json) {
  const auto type = json.text("model_type");
  if (!type)
    json.fail("has no 'model_type'");
  if (std::ranges::find(model_types, *type) == std::end(model_types)) {
    json.fail("has the 'model_type' '" + printable(*type) +
                  "', supported are: llama, mistral, qwen2, qwen3",
              "Use a model of one of these.");
  }
  return *type;
}

/// Refuses every unsupported feature that would change the result.
void refuse_unsupported(const JsonConfig& json, const ModelConfig& config) {
  const auto refuse = [&json](const std::string& what) {
    json.fail(what + ", which is not supported", "Use a model without that.");
  };
  if (json.has("quantization_config")) {
    json.fail("the checkpoint is quantised ('quantization_config'), which is not supported here",
              "Use the checkpoint with F32, F16 or BF16 weights, or a quantised GGUF file.");
  }
  if (json.text("hidden_act").value_or("silu") != "silu")
    refuse("has another activation than silu ('hidden_act')");
  // Qwen2's biases do not depend on these keys.
  const bool is_llama = config.architecture == "llama";
  const bool is_qwen2 = config.architecture == "qwen2";
  if (config.architecture == "mistral" && json.boolean("attention_bias", false))
    refuse("has biases ('attention_bias')");
  if (!is_llama && !is_qwen2 && json.boolean("mlp_bias", false))
    refuse("has biases ('mlp_bias')");
}

/// As in transformers: LLaMA may have all biases, Qwen3 those of attention; Qwen2 always has those
/// of query, key and value.
void read_biases(const JsonConfig& json, ModelConfig& config) {
  if (config.architecture == "llama" || config.architecture == "qwen3")
    config.qkv_bias = config.output_bias = json.boolean("attention_bias", false);
  config.ffn_bias = config.architecture == "llama" && json.boolean("mlp_bias", false);
}

/// If the weights have an LM head it is used even if the flag says that embeddings are tied: it was
/// saved on purpose.
bool read_is_tied(const JsonConfig& json, const HfFolder& folder) {
  const bool has_head = folder.find("output.weight") != nullptr;
  const bool is_tied = json.boolean("tie_word_embeddings", false);
  if (!is_tied && !has_head && folder.find("token_embd.weight") != nullptr) {
    json.fail("'tie_word_embeddings' is " +
                  std::string(json.has("tie_word_embeddings") ? "false" : "not there") +
                  ", but the weights have no 'lm_head.weight'",
              "Get the complete model, or the right config.json.");
  }
  return is_tied && !has_head;
}

/// The sliding window of the layers that have one; 0: no layer has one.
std::uint32_t read_window(const JsonConfig& json, const ModelConfig& config) {
  if (config.architecture == "mistral") {
    // Later versions write null for no window; this is the default of the first version.
    constexpr std::uint32_t usual = 4096;
    return json.is_null("sliding_window") ? 0 : json.size("sliding_window", usual, max_context);
  }
  if (config.architecture == "llama" || !json.boolean("use_sliding_window", false) ||
      !json.has("sliding_window"))
    return 0;
  const std::uint32_t window = json.size("sliding_window", {}, max_context);
  if (const auto types = json.texts("layer_types"))
    return std::ranges::find(*types, "sliding_attention") == types->end() ? 0 : window;
  // Layers from this one on have a window.
  return json.size("max_window_layers", 28, max_context, 0) < config.layers ? window : 0;
}

}  // namespace

ModelConfig read_config(const HfFolder& folder) {
  const JsonConfig json(folder.config_path(), "Give the config.json that came with the model.");
  ModelConfig config;
  config.architecture = read_model_type(json);
  config_rules::apply_architecture(config);
  refuse_unsupported(json, config);
  read_biases(json, config);
  config.name = folder.path().filename().string();
  config.hidden_size = json.size("hidden_size", {}, max_size);
  config.layers = json.size("num_hidden_layers", {}, max_layers);
  config.ffn_size = json.size("intermediate_size", {}, max_size);
  config.vocab_size = json.size("vocab_size", {}, max_size);
  config.context_length = json.size("max_position_embeddings", {}, max_context);
  config.attention_window = read_window(json, config);
  read_hf_heads(json, config);
  read_hf_rope(json, config);
  config.rms_eps = static_cast<float>(json.positive("rms_norm_eps", 1e-6));
  config.tied_embeddings = read_is_tied(json, folder);
  return config;
}

}  // namespace flowspec
