#include "tests/support/hf_writer.hpp"

#include <stdexcept>

#include <nlohmann/json.hpp>

#include "models/config/config.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/safetensors_writer.hpp"

namespace flowspec::test {
namespace {

std::string hf_name(const std::string& gguf) {
  static const std::map<std::string, std::string> names{
      {"token_embd.weight", "model.embed_tokens.weight"},
      {"output_norm.weight", "model.norm.weight"},
      {"output.weight", "lm_head.weight"},
      {"attn_norm.weight", "input_layernorm.weight"},
      {"attn_q.weight", "self_attn.q_proj.weight"},
      {"attn_k.weight", "self_attn.k_proj.weight"},
      {"attn_v.weight", "self_attn.v_proj.weight"},
      {"attn_q.bias", "self_attn.q_proj.bias"},
      {"attn_k.bias", "self_attn.k_proj.bias"},
      {"attn_v.bias", "self_attn.v_proj.bias"},
      {"attn_output.bias", "self_attn.o_proj.bias"},
      {"ffn_gate.bias", "mlp.gate_proj.bias"},
      {"ffn_up.bias", "mlp.up_proj.bias"},
      {"ffn_down.bias", "mlp.down_proj.bias"},
      {"attn_q_norm.weight", "self_attn.q_norm.weight"},
      {"attn_k_norm.weight", "self_attn.k_norm.weight"},
      {"attn_output.weight", "self_attn.o_proj.weight"},
      {"ffn_norm.weight", "post_attention_layernorm.weight"},
      {"ffn_gate.weight", "mlp.gate_proj.weight"},
      {"ffn_up.weight", "mlp.up_proj.weight"},
      {"ffn_down.weight", "mlp.down_proj.weight"},
  };
  if (!gguf.starts_with("blk."))
    return names.at(gguf);
  const std::size_t dot = gguf.find('.', 4);
  return "model.layers." + gguf.substr(4, dot - 4) + "." + names.at(gguf.substr(dot + 1));
}

/// Row 2 i + j of every head becomes row j * head_dim / 2 + i.
std::string unpermuted(const TensorInfo& tensor, std::size_t head_dim) {
  std::string bytes;
  const std::size_t rows = tensor.shape.back();
  const std::size_t row_bytes = tensor.data.size() / rows;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t in_head = row % head_dim;
    const std::size_t i = in_head % (head_dim / 2);
    const std::size_t j = in_head / (head_dim / 2);
    const auto from = tensor.data.subspan((row - in_head + 2 * i + j) * row_bytes, row_bytes);
    bytes.append(reinterpret_cast<const char*>(from.data()), from.size());
  }
  return bytes;
}

}  // namespace

HfWriter::HfWriter(const GgufFile& file) {
  const ModelConfig model = read_config(file);
  for (const TensorInfo& tensor : file.tensors()) {
    const bool is_turned = tensor.name.find("attn_q.") != std::string::npos ||
                           tensor.name.find("attn_k.") != std::string::npos;
    std::string bytes(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
    if (is_turned && model.architecture == "llama")
      bytes = unpermuted(tensor, model.head_dim);
    tensors[hf_name(tensor.name)] = {
        tensor.type, {tensor.shape.rbegin(), tensor.shape.rend()}, std::move(bytes)};
  }
  const auto number = [](auto value) { return nlohmann::json(value).dump(); };
  config = {{"model_type", "\"" + model.architecture + "\""},
            {"hidden_size", number(model.hidden_size)},
            {"intermediate_size", number(model.ffn_size)},
            {"num_hidden_layers", number(model.layers)},
            {"num_attention_heads", number(model.heads)},
            {"num_key_value_heads", number(model.kv_heads)},
            {"head_dim", number(model.head_dim)},
            {"vocab_size", number(model.vocab_size)},
            {"max_position_embeddings", number(model.context_length)},
            {"rms_norm_eps", number(model.rms_eps)},
            {"rope_theta", number(model.rope_theta)},
            {"rope_scaling", "null"},
            {"hidden_act", "\"silu\""},
            {"attention_bias", model.output_bias ? "true" : "false"},
            {"mlp_bias", model.ffn_bias ? "true" : "false"},
            {"tie_word_embeddings", model.tied_embeddings ? "true" : "false"}};
}

void HfWriter::write(const std::filesystem::path& folder, std::size_t shards) const {
  std::filesystem::create_directories(folder);
  std::string json;
  for (const auto& [key, value] : config)
    json += (json.empty() ? "{\n  \"" : ",\n  \"") + key + "\": " + value;
  write_file(folder / "config.json", json + "\n}\n");
  std::vector<SafetensorsWriter> files(shards);
  nlohmann::json index = {{"weight_map", nlohmann::json::object()}};
  const auto file_name = [&](std::size_t shard) {
    return shards == 1 ? std::string("model.safetensors")
                       : "model-" + std::to_string(shard + 1) + ".safetensors";
  };
  std::size_t next = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t shard = next++ % shards;
    files[shard].add_raw_tensor(name, type_name(tensor.type), tensor.shape, tensor.bytes);
    index["weight_map"][name] = file_name(shard);
  }
  for (std::size_t shard = 0; shard < shards; ++shard)
    files[shard].write(folder / file_name(shard));
  if (shards > 1)
    write_file(folder / "model.safetensors.index.json", index.dump());
}

}  // namespace flowspec::test
