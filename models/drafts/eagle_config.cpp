#include "models/drafts/eagle_config.hpp"

#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "models/formats/file_mapping.hpp"

namespace flowspec {
namespace {

using nlohmann::json;

constexpr std::size_t max_file_bytes = std::size_t{1} << 20;
// Far beyond every published model; products of two of them fit in 64 bits.
constexpr std::uint64_t max_size = std::uint64_t{1} << 24;
constexpr std::uint64_t max_context = std::numeric_limits<std::int32_t>::max();

/// Reads and checks the keys of one file.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : path_(path) {
    const FileMapping mapping(path);
    if (mapping.bytes().size() > max_file_bytes) {
      fail("has " + std::to_string(mapping.bytes().size()) + " bytes, too many for a config.json");
    }
    const auto* text = reinterpret_cast<const char*>(mapping.bytes().data());
    root_ = json::parse(text, text + mapping.bytes().size(), nullptr, false);
    if (!root_.is_object()) {
      fail("is not a JSON object");
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw ModelError(path_.string() + ": " + what +
                     ". Give the config.json that came with the EAGLE head.");
  }

  /// Whatever changes the result and is not computed must not pass unseen.
  [[noreturn]] void refuse(const std::string& feature) const {
    throw ModelError(path_.string() + ": the EAGLE head " + feature +
                     ", which is not supported. Use a plain EAGLE-1 or EAGLE-2 head.");
  }

  /// Null where the key is missing or null.
  const json* find(const char* key) const { return find(root_, key); }

  static const json* find(const json& object, const char* key) {
    const auto it = object.find(key);
    return it == object.end() || it->is_null() ? nullptr : &*it;
  }

  std::uint32_t size(const char* key, std::optional<std::uint32_t> fallback = {},
                     std::uint64_t most = max_size) const {
    const json* value = find(key);
    if (value == nullptr && fallback) {
      return *fallback;
    }
    if (value == nullptr) {
      fail(std::string("has no '") + key + "'");
    }
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() == 0 ||
        value->get<std::uint64_t>() > most) {
      fail(std::string("'") + key + "' is not an integer from 1 to " + std::to_string(most));
    }
    return value->get<std::uint32_t>();
  }

  float positive(const json* value, const char* key, float fallback) const {
    if (value == nullptr) {
      return fallback;
    }
    const float number = value->is_number() ? value->get<float>() : 0.0F;
    if (!std::isfinite(number) || number <= 0) {
      fail(std::string("'") + key + "' is not a positive number");
    }
    return number;
  }

  bool boolean(const char* key, bool fallback) const {
    const json* value = find(key);
    if (value != nullptr && !value->is_boolean()) {
      fail(std::string("'") + key + "' is not true or false");
    }
    return value != nullptr ? value->get<bool>() : fallback;
  }

 private:
  std::filesystem::path path_;
  json root_;
};

/// `rope_scaling`, or `rope_parameters`, which newer files have.
void read_rope(const Reader& reader, ModelConfig& config) {
  config.rope_theta = reader.positive(reader.find("rope_theta"), "rope_theta", 10000);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const json* rope = reader.find(key);
    if (rope == nullptr) {
      continue;
    }
    if (!rope->is_object()) {
      reader.fail(std::string("'") + key + "' is not an object");
    }
    for (const char* type_key : {"rope_type", "type"}) {
      const json* type = Reader::find(*rope, type_key);
      if (type != nullptr && *type != "default") {
        reader.refuse(std::string("scales RoPE ('") + key + "')");
      }
    }
    config.rope_theta =
        reader.positive(Reader::find(*rope, "rope_theta"), "rope_theta", config.rope_theta);
  }
}

void read_heads(const Reader& reader, ModelConfig& config) {
  config.heads = reader.size("num_attention_heads");
  config.kv_heads = reader.size("num_key_value_heads", config.heads);
  if (config.heads % config.kv_heads != 0) {
    reader.fail(std::to_string(config.heads) + " heads cannot share " +
                std::to_string(config.kv_heads) + " key/value heads evenly");
  }
  if (reader.find("head_dim") == nullptr && config.hidden_size % config.heads != 0) {
    reader.fail("'hidden_size' " + std::to_string(config.hidden_size) + " is no multiple of the " +
                std::to_string(config.heads) + " heads");
  }
  config.head_dim = reader.size("head_dim", config.hidden_size / config.heads);
  if (config.head_dim % 2 != 0) {
    reader.fail("the head size " + std::to_string(config.head_dim) + " is odd");
  }
  config.rope_dims = config.head_dim;
}

}  // namespace

EagleConfig read_eagle_config(const std::filesystem::path& path) {
  const Reader reader(path);
  EagleConfig result;
  ModelConfig& config = result.model;
  config.architecture = "llama";
  config.name = std::filesystem::absolute(path).parent_path().filename().string();
  config.layers = reader.size("num_hidden_layers", 1);
  if (config.layers != 1) {
    reader.refuse("has " + std::to_string(config.layers) + " layers");
  }
  if (const json* activation = reader.find("hidden_act");
      activation != nullptr && *activation != "silu") {
    reader.refuse("has another activation than silu ('hidden_act')");
  }
  if (reader.boolean("attention_bias", false) || reader.boolean("mlp_bias", false)) {
    reader.refuse("has biases in its layer ('attention_bias', 'mlp_bias')");
  }
  config.hidden_size = reader.size("hidden_size");
  config.ffn_size = reader.size("intermediate_size");
  config.vocab_size = reader.size("vocab_size");
  config.context_length = reader.size("max_position_embeddings", 2048, max_context);
  read_heads(reader, config);
  read_rope(reader, config);
  config.rms_eps = reader.positive(reader.find("rms_norm_eps"), "rms_norm_eps", 1e-6F);
  result.has_bias = reader.boolean("bias", true);
  return result;
}

}  // namespace flowspec
