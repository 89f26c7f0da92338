#include "tests/support/eagle3_files.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "models/formats/tensor_type.hpp"
#include "tests/support/bytes_of.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/safetensors_writer.hpp"

namespace flowspec::test {
namespace {

using Keys = std::map<std::string, std::string>;

std::string json_object(const Keys& keys) {
  std::string json;
  for (const auto& [key, value] : keys) {
    json += json.empty() ? "{\"" : ",\n\"";
    json += key;
    json += "\": ";
    json += value;
  }
  return json.empty() ? "{}" : json + "}";
}

std::string json_list(const std::vector<std::uint32_t>& values, std::uint32_t less) {
  std::string json;
  for (const std::uint32_t value : values) {
    json += json.empty() ? "[" : ", ";
    json += std::to_string(value - less);
  }
  return json + "]";
}

std::string json_bool(bool value) {
  return value ? "true" : "false";
}

std::string integers(const std::vector<std::int64_t>& values) {
  std::string bytes;
  for (const std::int64_t value : values)
    bytes += bytes_of<std::int64_t>(value);
  return bytes;
}

/// The rows of a query or key matrix in the order of GGUF's LLaMA, which rotates neighbours: rows j
/// and j + dim / 2 of a head become 2j and 2j + 1.
std::vector<float> permuted(const Eagle3Files::Tensor& matrix, std::size_t heads) {
  const std::size_t columns = matrix.shape.size() > 1 ? matrix.shape[1] : 1;
  const std::size_t dim = matrix.shape[0] / heads;
  std::vector<float> result(matrix.values.size());
  for (std::size_t row = 0; row < matrix.shape[0]; ++row) {
    const std::size_t inner = row % dim;
    const std::size_t target = row - inner + inner % (dim / 2) * 2 + inner / (dim / 2);
    std::copy_n(matrix.values.begin() + static_cast<std::ptrdiff_t>(row * columns), columns,
                result.begin() + static_cast<std::ptrdiff_t>(target * columns));
  }
  return result;
}

/// "blk.0.attn_q.weight" for "layers.0.self_attn.q_proj.weight".
std::string gguf_name(std::string name) {
  const std::pair<const char*, const char*> parts[] = {
      {"layers.", "blk."},
      {"hidden_norm", "attn_norm_2"},
      {"input_layernorm", "attn_norm"},
      {"post_attention_layernorm", "ffn_norm"},
      {"self_attn.q_proj", "attn_q"},
      {"self_attn.k_proj", "attn_k"},
      {"self_attn.v_proj", "attn_v"},
      {"self_attn.o_proj", "attn_output"},
      {"mlp.gate_proj", "ffn_gate"},
      {"mlp.up_proj", "ffn_up"},
      {"mlp.down_proj", "ffn_down"},
      {"embed_tokens", "token_embd"},
      {"lm_head", "output"},
  };
  if (name == "norm.weight")
    return "output_norm.weight";
  if (name == "input_norm.weight")
    return "enc.output_norm.weight";
  for (const auto& [from, to] : parts)
    if (const auto at = name.find(from); at != name.npos)
      name.replace(at, std::string(from).size(), to);
  return name;
}

}  // namespace

std::string name_of(Eagle3Dialect dialect) {
  switch (dialect) {
    case Eagle3Dialect::safeailab:
      return "SafeAILab";
    case Eagle3Dialect::specforge:
      return "SpecForge";
    case Eagle3Dialect::angelslim:
      return "AngelSlim";
    case Eagle3Dialect::speculators:
      return "speculators";
    case Eagle3Dialect::nvidia:
      return "NVIDIA";
    case Eagle3Dialect::gguf:
      return "GGUF";
  }
  return "";
}

Eagle3Files::Eagle3Files(Eagle3Dialect of, const Eagle3Shape& wanted, std::uint64_t seed)
    : dialect(of), shape(wanted) {
  make_tensors(seed);
  if (dialect != Eagle3Dialect::gguf)
    make_config();
  std::mt19937_64 random(seed + 1);
  if (shape.draft_vocab_size == shape.vocab_size)
    return;
  for (std::int64_t token = 0; token < shape.vocab_size; ++token)
    draft_to_target.push_back(token);
  std::ranges::shuffle(draft_to_target, random);
  draft_to_target.resize(shape.draft_vocab_size);
  // Rising, as frequent tokens are listed; the differences are not all alike.
  std::ranges::sort(draft_to_target);
}

void Eagle3Files::make_tensors(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  const auto add = [&](const std::string& name, std::vector<std::uint64_t> sizes, float mean,
                       float deviation) {
    std::size_t count = 1;
    for (const std::uint64_t size : sizes)
      count *= size;
    std::vector<float> values(count);
    std::ranges::generate(
        values,
        [&] {
          const float value = std::clamp(mean + deviation * normal(random), -3.5F, 3.5F);
          return std::round(value * 512) / 512;
        });
    tensors[name] = {std::move(sizes), std::move(values)};
  };
  const auto add_matrix = [&](const std::string& name, std::uint64_t out, std::uint64_t in,
                              float gain = 1) {
    add(name + ".weight", {out, in}, 0, gain / std::sqrt(static_cast<float>(in)));
  };
  const std::uint64_t hidden = shape.hidden_size;
  const std::uint64_t dim = shape.head_dim != 0 ? shape.head_dim : hidden / shape.heads;
  const std::uint64_t joined = shape.target_hidden_size * shape.taps.size();
  if (shape.own_embedding)
    add("embed_tokens.weight", {shape.vocab_size, hidden}, 0, 1);
  if (shape.own_output)
    add_matrix("lm_head", shape.draft_vocab_size, hidden, 2);
  add("norm.weight", {hidden}, 1, 0.3F);
  if (!shape.taps.empty())
    add_matrix("fc", hidden, joined);
  if (shape.norm_before_fc)
    add("input_norm.weight", {joined}, 1, 0.3F);
  for (std::size_t i = 0; shape.fc_norm && i < shape.taps.size(); ++i)
    add("fc_norm." + std::to_string(i) + ".weight", {shape.target_hidden_size}, 1, 0.3F);
  for (std::uint32_t i = 0; i < shape.layers; ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    const std::uint64_t inputs = i == 0 ? 2 * hidden : hidden;
    if (i == 0)
      add(layer + "hidden_norm.weight", {hidden}, 1, 0.3F);
    add(layer + "input_layernorm.weight", {hidden}, 1, 0.3F);
    add(layer + "post_attention_layernorm.weight", {hidden}, 1, 0.3F);
    add_matrix(layer + "self_attn.q_proj", shape.heads * dim, inputs, 1.5F);
    add_matrix(layer + "self_attn.k_proj", shape.kv_heads * dim, inputs, 1.5F);
    add_matrix(layer + "self_attn.v_proj", shape.kv_heads * dim, inputs);
    if (shape.qkv_bias) {
      add(layer + "self_attn.q_proj.bias", {shape.heads * dim}, 0, 0.5F);
      add(layer + "self_attn.k_proj.bias", {shape.kv_heads * dim}, 0, 0.5F);
      add(layer + "self_attn.v_proj.bias", {shape.kv_heads * dim}, 0, 0.5F);
    }
    if (shape.qwen3) {
      add(layer + "self_attn.q_norm.weight", {dim}, 1, 0.3F);
      add(layer + "self_attn.k_norm.weight", {dim}, 1, 0.3F);
    }
    add_matrix(layer + "self_attn.o_proj", hidden, shape.heads * dim);
    add_matrix(layer + "mlp.gate_proj", shape.ffn_size, hidden);
    add_matrix(layer + "mlp.up_proj", shape.ffn_size, hidden);
    add_matrix(layer + "mlp.down_proj", hidden, shape.ffn_size);
  }
}

void Eagle3Files::make_config() {
  const bool nests_layers = dialect == Eagle3Dialect::speculators;
  const bool nests_taps = dialect == Eagle3Dialect::specforge || dialect == Eagle3Dialect::nvidia;
  Keys& layers = nests_layers ? layer_config : config;
  layers["model_type"] = shape.qwen3 ? "\"qwen3\"" : "\"llama\"";
  layers["hidden_size"] = std::to_string(shape.hidden_size);
  layers["intermediate_size"] = std::to_string(shape.ffn_size);
  layers["num_attention_heads"] = std::to_string(shape.heads);
  layers["num_key_value_heads"] = std::to_string(shape.kv_heads);
  layers["num_hidden_layers"] = std::to_string(shape.layers);
  layers["vocab_size"] = std::to_string(shape.vocab_size);
  layers["rms_norm_eps"] = std::to_string(shape.rms_eps);
  layers["rope_theta"] = std::to_string(shape.rope_theta);
  layers["hidden_act"] = "\"silu\"";
  if (shape.head_dim != 0)
    layers["head_dim"] = std::to_string(shape.head_dim);
  if (shape.qkv_bias)
    layers["attention_bias"] = "true";
  config["draft_vocab_size"] = std::to_string(shape.draft_vocab_size);
  if (shape.target_hidden_size != shape.hidden_size)
    config["target_hidden_size"] = std::to_string(shape.target_hidden_size);
  for (const auto& [key, value] :
       {std::pair("norm_before_residual", shape.norm_before_residual),
        std::pair("norm_before_fc", shape.norm_before_fc), std::pair("fc_norm", shape.fc_norm),
        std::pair("norm_output", shape.norm_output)})
    if (value || nests_layers)
      config[key] = json_bool(value);
  if (nests_taps)
    eagle_config["use_aux_hidden_state"] = json_bool(!shape.taps.empty());
  const char* ids = "eagle_aux_hidden_state_layer_ids";
  if (!shape.default_taps && !shape.taps.empty())
    (nests_taps ? eagle_config : config)[ids] = json_list(shape.taps, nests_taps ? 1 : 0);
  const std::map<Eagle3Dialect, std::string> architectures{
      {Eagle3Dialect::safeailab, "LlamaForCausalLM"},
      {Eagle3Dialect::specforge, "LlamaForCausalLMEagle3"},
      {Eagle3Dialect::angelslim, "Eagle3LlamaForCausalLM"},
      {Eagle3Dialect::speculators, "Eagle3DraftModel"},
      {Eagle3Dialect::nvidia, "LlamaForCausalLMEagle3"}};
  config["architectures"] = "[\"" + architectures.at(dialect) + "\"]";
  if (nests_layers)
    config["speculators_model_type"] = "\"eagle3\"";
}

void Eagle3Files::write(const std::filesystem::path& folder) const {
  if (dialect == Eagle3Dialect::gguf)
    write_gguf(folder / "head.gguf");
  else
    write_folder(folder);
}

void Eagle3Files::write_folder(const std::filesystem::path& folder) const {
  Keys keys = config;
  if (!eagle_config.empty())
    keys["eagle_config"] = json_object(eagle_config);
  if (!layer_config.empty())
    keys["transformer_layer_config"] = json_object(layer_config);
  write_file(folder / "config.json", json_object(keys) + "\n");
  SafetensorsWriter writer;
  for (const auto& [name, tensor] : tensors) {
    const std::string prefix = "layers.0.";
    const bool renames = dialect != Eagle3Dialect::speculators && name.starts_with(prefix);
    writer.add_tensor(renames ? "midlayer." + name.substr(prefix.size()) : name, TensorType::f16,
                      tensor.shape, tensor.values);
  }
  if (!draft_to_target.empty()) {
    std::vector<std::int64_t> differences = draft_to_target;
    std::string used(shape.vocab_size, '\0');
    for (std::size_t i = 0; i < differences.size(); ++i) {
      if (differences[i] >= 0 && differences[i] < shape.vocab_size)
        used[static_cast<std::size_t>(differences[i])] = '\1';
      differences[i] -= static_cast<std::int64_t>(i);
    }
    writer.add_raw_tensor("d2t", "I64", {differences.size()}, integers(differences));
    writer.add_raw_tensor("t2d", "BOOL", {shape.vocab_size}, used);
  }
  writer.write(folder / "model.safetensors");
}

void Eagle3Files::write_gguf(const std::filesystem::path& file) const {
  GgufWriter writer;
  writer.add_string("general.architecture", "eagle3");
  writer.add_uint("eagle3.context_length", 2048);
  writer.add_uint("eagle3.embedding_length", shape.hidden_size);
  writer.add_uint("eagle3.block_count", shape.layers);
  writer.add_uint("eagle3.feed_forward_length", shape.ffn_size);
  writer.add_uint("eagle3.attention.head_count", shape.heads);
  writer.add_uint("eagle3.attention.head_count_kv", shape.kv_heads);
  if (shape.head_dim != 0) {
    writer.add_uint("eagle3.attention.key_length", shape.head_dim);
    writer.add_uint("eagle3.attention.value_length", shape.head_dim);
  }
  writer.add_float("eagle3.rope.freq_base", shape.rope_theta);
  writer.add_float("eagle3.attention.layer_norm_rms_epsilon", shape.rms_eps);
  writer.add_uint("eagle3.target_hidden_size", shape.target_hidden_size);
  writer.add_bool("eagle3.norm_before_residual", shape.norm_before_residual);
  writer.add_bool("eagle3.norm_before_fc", shape.norm_before_fc);
  const std::vector<std::int32_t> taps(shape.taps.begin(), shape.taps.end());
  writer.add_ints("eagle3.target_layers", taps);
  add_vocabulary(writer, shape.vocab_size, 1);
  for (const auto& [name, tensor] : tensors) {
    const bool is_query = name.find("q_proj") != name.npos;
    const bool is_key = name.find("k_proj") != name.npos;
    const bool is_matrix = tensor.shape.size() == 2;
    writer.add_tensor(gguf_name(name), is_matrix ? TensorType::f16 : TensorType::f32,
                      {tensor.shape.rbegin(), tensor.shape.rend()},
                      is_query || is_key ? permuted(tensor, is_query ? shape.heads : shape.kv_heads)
                                         : tensor.values);
  }
  if (!draft_to_target.empty())
    writer.add_raw_tensor("d2t", static_cast<std::uint32_t>(type_i64), {draft_to_target.size()},
                          integers(draft_to_target));
  writer.write(file);
}

}  // namespace flowspec::test
