#include "tests/support/eagle_files.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "tests/support/gguf_writer.hpp"
#include "tests/support/safetensors_writer.hpp"

namespace flowspec::test {

EagleFiles::EagleFiles(const EagleShape& shape, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  const auto add = [&](const std::string& name, std::vector<std::uint64_t> sizes, float mean,
                       float deviation) {
    std::size_t count = 1;
    for (const std::uint64_t size : sizes)
      count *= size;
    std::vector<float> values(count);
    std::ranges::generate(values, [&] { return mean + deviation * normal(random); });
    tensors[name] = {std::move(sizes), std::move(values)};
  };
  // 1/sqrt(inputs) keeps activations at the same size; a larger scale for q and k makes attention
  // selective.
  const auto add_matrix = [&](const std::string& name, std::uint64_t out, std::uint64_t in,
                              float gain = 1) {
    add(name + ".weight", {out, in}, 0, gain / std::sqrt(static_cast<float>(in)));
  };
  const std::uint64_t hidden = shape.hidden_size;
  const std::uint64_t head_dim = shape.head_dim != 0 ? shape.head_dim : hidden / shape.heads;
  add("embed_tokens.weight", {shape.vocab_size, hidden}, 0, 1);
  add_matrix("fc", hidden, 2 * hidden);
  if (shape.bias)
    add("fc.bias", {hidden}, 0, 0.3F);
  const std::string layer = "layers.0.";
  add_matrix(layer + "self_attn.q_proj", shape.heads * head_dim, hidden, 1.5F);
  add_matrix(layer + "self_attn.k_proj", shape.kv_heads * head_dim, hidden, 1.5F);
  add_matrix(layer + "self_attn.v_proj", shape.kv_heads * head_dim, hidden);
  add_matrix(layer + "self_attn.o_proj", hidden, shape.heads * head_dim);
  add(layer + "post_attention_layernorm.weight", {hidden}, 1, 0.2F);
  add_matrix(layer + "mlp.gate_proj", shape.ffn_size, hidden);
  add_matrix(layer + "mlp.up_proj", shape.ffn_size, hidden);
  add_matrix(layer + "mlp.down_proj", hidden, shape.ffn_size);

  config = {{"hidden_size", std::to_string(hidden)},
            {"intermediate_size", std::to_string(shape.ffn_size)},
            {"num_attention_heads", std::to_string(shape.heads)},
            {"num_key_value_heads", std::to_string(shape.kv_heads)},
            {"num_hidden_layers", "1"},
            {"vocab_size", std::to_string(shape.vocab_size)},
            {"rms_norm_eps", std::to_string(shape.rms_eps)},
            {"rope_theta", std::to_string(shape.rope_theta)},
            {"rope_scaling", "null"},
            {"hidden_act", "\"silu\""}};
  if (!shape.bias)
    config["bias"] = "false";
  if (shape.head_dim != 0)
    config["head_dim"] = std::to_string(shape.head_dim);
}

void EagleFiles::write(const std::filesystem::path& folder, TensorType type) const {
  std::string json;
  for (const auto& [key, value] : config) {
    json += json.empty() ? "{\"" : ",\n\"";
    json += key;
    json += "\": ";
    json += value;
  }
  write_file(folder / "config.json", json + "}\n");
  SafetensorsWriter writer;
  for (const auto& [name, tensor] : tensors)
    writer.add_tensor(name, type, tensor.shape, tensor.values);
  writer.write(folder / "model.safetensors");
}

}  // namespace flowspec::test
