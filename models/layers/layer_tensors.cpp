#include "models/layers/layer_tensors.hpp"

#include <initializer_list>
#include <string>

#include "models/base/error.hpp"
#include "models/config/config.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/model_files.hpp"
#include "models/formats/noting_files.hpp"

namespace flowspec {
namespace {

bool is_of_rope(const TensorInfo& tensor) {
  return tensor.name == "rope_freqs.weight" || tensor.name.ends_with("rotary_emb.inv_freq");
}

}  // namespace

LayerTensors find_layer_tensors(const ModelFiles& files, const ModelConfig& config,
                                std::uint32_t layer) {
  return find_layer_tensors(files, config, layer, config.hidden_size);
}

LayerTensors find_layer_tensors(const ModelFiles& files, const ModelConfig& config,
                                std::uint32_t layer, std::uint64_t qkv_inputs) {
  LayerTensors result;
  const std::string prefix = "blk." + std::to_string(layer) + ".";
  const auto require = [&](const char* name, std::initializer_list<std::uint64_t> shape) {
    const TensorInfo& tensor = files.require(prefix + name, shape);
    result.stored_bytes += tensor.data.size();
    return &tensor;
  };
  const std::uint64_t hidden = config.hidden_size;
  const std::uint64_t ffn = config.ffn_size;
  const std::uint64_t q_size = std::uint64_t{config.heads} * config.head_dim;
  const std::uint64_t kv_size = std::uint64_t{config.kv_heads} * config.head_dim;
  result.attention_norm = require("attn_norm.weight", {hidden});
  result.qkv = {require("attn_q.weight", {qkv_inputs, q_size}),
                require("attn_k.weight", {qkv_inputs, kv_size}),
                require("attn_v.weight", {qkv_inputs, kv_size})};
  if (config.qkv_bias) {
    result.qkv_bias = {require("attn_q.bias", {q_size}), require("attn_k.bias", {kv_size}),
                       require("attn_v.bias", {kv_size})};
  }
  if (config.qk_norm) {
    result.q_norm = require("attn_q_norm.weight", {config.head_dim});
    result.k_norm = require("attn_k_norm.weight", {config.head_dim});
  }
  result.output = {require("attn_output.weight", {q_size, hidden})};
  if (config.output_bias)
    result.output_bias = {require("attn_output.bias", {hidden})};
  result.ffn_norm = require("ffn_norm.weight", {hidden});
  result.gate_up = {require("ffn_gate.weight", {hidden, ffn}),
                    require("ffn_up.weight", {hidden, ffn})};
  result.down = {require("ffn_down.weight", {ffn, hidden})};
  if (config.ffn_bias) {
    result.gate_up_bias = {require("ffn_gate.bias", {ffn}), require("ffn_up.bias", {ffn})};
    result.down_bias = {require("ffn_down.bias", {hidden})};
  }
  return result;
}

const TensorInfo& find_embedding(const ModelFiles& files, const ModelConfig& config) {
  return files.require("token_embd.weight", {config.hidden_size, config.vocab_size});
}

const TensorInfo& find_output_norm(const ModelFiles& files, const ModelConfig& config) {
  return files.require("output_norm.weight", {config.hidden_size});
}

const TensorInfo& find_output_matrix(const ModelFiles& files, const ModelConfig& config) {
  return config.tied_embeddings
             ? find_embedding(files, config)
             : files.require("output.weight", {config.hidden_size, config.vocab_size});
}

void check_tensors(const ModelFiles& files, const ModelConfig& config) {
  const NotingFiles noting(files);
  find_embedding(noting, config);
  for (std::uint32_t layer = 0; layer < config.layers; ++layer)
    find_layer_tensors(noting, config, layer);
  find_output_norm(noting, config);
  find_output_matrix(noting, config);
  for (const TensorInfo* tensor : files.all_tensors()) {
    if (!noting.is_noted(tensor) && !is_of_rope(*tensor)) {
      throw ModelError(files.path().string() + ": tensor '" + printable(tensor->name) +
                       "' is there, but is not supported in a model of the architecture '" +
                       config.architecture + "' with " + std::to_string(config.layers) +
                       " layers of this configuration: the text would be another one without it. "
                       "Use a model without that tensor, or get the model again.");
    }
  }
}

}  // namespace flowspec
