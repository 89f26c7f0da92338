#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/base/error.hpp"
#include "models/config/config.hpp"
#include "models/config/rules.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/gguf.hpp"

namespace flowspec {
namespace {

using config_rules::max_context;
using config_rules::max_layers;
using config_rules::max_size;

constexpr std::string_view architectures[] = {"llama", "qwen2", "qwen3"};

/// Reads and checks the keys of one file. Keys are given without the prefix that they have in the
/// file, the architecture's name.
class ConfigReader {
 public:
  ConfigReader(const GgufFile& file, std::string architecture)
      : file_(file), architecture_(std::move(architecture)) {}

  std::string key(const std::string& name) const { return architecture_ + "." + name; }

  [[noreturn]] void fail(const std::string& what, const std::string& advice) const {
    throw ModelError(file_.path().string() + ": " + what + ". " + advice);
  }

  [[noreturn]] void contradict(const std::string& what) const {
    fail(what, "The file's metadata contradicts itself: get the model from another source.");
  }

  std::uint32_t size(const std::string& name, std::uint64_t most = max_size) const {
    return checked(key(name), file_.require_uint(key(name)), most);
  }

  /// A size that the file may give for every layer; all must be equal. Nothing if it gives none.
  std::optional<std::uint32_t> find_layer_size(const std::string& name,
                                               std::uint32_t layers) const {
    const std::string full = key(name);
    if (!file_.is_array(full)) {
      const auto value = file_.find_uint(full);
      return value ? std::optional(checked(full, *value, max_size)) : std::nullopt;
    }
    const std::vector<std::int64_t> values = file_.require_ints(full);
    if (values.size() != layers) {
      contradict("the metadata key '" + full + "' has " + std::to_string(values.size()) +
                 " values, the model has " + std::to_string(layers) + " layers");
    }
    if (std::ranges::adjacent_find(values, std::ranges::not_equal_to{}) != values.end())
      refuse("has layers of different sizes (" + full + ")");
    return checked(full, static_cast<std::uint64_t>(values.front()), max_size);
  }

  std::uint32_t layer_size(const std::string& name, std::uint32_t layers) const {
    const auto value = find_layer_size(name, layers);
    return value ? *value : size(name);
  }

  std::uint32_t size_or(const std::string& name, std::uint32_t fallback,
                        std::uint64_t most = max_size) const {
    const auto value = file_.find_uint(key(name));
    return value ? checked(key(name), *value, most) : fallback;
  }

  float positive(const std::string& name, std::optional<double> fallback = {}) const {
    const double value =
        fallback ? file_.find_float(key(name)).value_or(*fallback) : file_.require_float(key(name));
    const auto number = static_cast<float>(value);
    if (!std::isfinite(number) || number <= 0) {
      contradict("the metadata key '" + key(name) + "' is " + describe_number(value) +
                 ", expected a positive number that a float32 can hold");
    }
    return number;
  }

  [[noreturn]] void refuse(const std::string& feature) const {
    fail(feature + ", which is not supported", "Use a model without that.");
  }

  const GgufFile& file() const { return file_; }

 private:
  std::uint32_t checked(const std::string& key, std::uint64_t value, std::uint64_t most) const {
    if (value == 0 || value > most) {
      contradict("the metadata key '" + key + "' is " + std::to_string(value) + ", expected 1 to " +
                 std::to_string(most));
    }
    return static_cast<std::uint32_t>(value);
  }

  const GgufFile& file_;
  std::string architecture_;
};

std::string read_architecture(const GgufFile& file) {
  const auto fail = [&file](const std::string& what) {
    throw ModelError(file.path().string() + ": " + what);
  };
  const std::string kind = file.find_string("general.type").value_or("model");
  if (kind != "model") {
    fail("is of the kind '" + printable(kind) +
         "' (general.type), expected 'model'. Give the language model itself.");
  }
  std::string architecture = file.require_string("general.architecture");
  if (architecture == "eagle3")
    fail(
        "holds an EAGLE-3 head (general.architecture 'eagle3'), expected a whole language model. "
        "Give it with --draft, and its target with --model.");
  if (std::ranges::find(architectures, architecture) == std::end(architectures)) {
    fail("has the architecture '" + printable(architecture) +
         "', supported are: llama (also Mistral), qwen2, qwen3. Use a model of one of these.");
  }
  return architecture;
}

/// Refuses every unsupported feature that would change the result.
void refuse_unsupported(const ConfigReader& reader) {
  const GgufFile& file = reader.file();
  if (const auto experts = file.find_uint(reader.key("expert_count")); experts.value_or(0) > 0)
    reader.refuse("is a mixture of " + std::to_string(*experts) + " experts");
  if (!file.find_bool(reader.key("attention.causal")).value_or(true))
    reader.refuse("has attention that is not causal (" + reader.key("attention.causal") + ")");
  for (const char* tensor : {"rope_factors_long.weight", "rope_factors_short.weight"}) {
    if (file.find(tensor) != nullptr) {
      reader.refuse(std::string("has RoPE factors that change with the length of a text (tensor ") +
                    tensor + ")");
    }
  }
}

std::uint32_t read_vocab_size(const ConfigReader& reader) {
  const GgufFile& file = reader.file();
  const auto tokens = file.find_length("tokenizer.ggml.tokens");
  const TensorInfo* embedding = file.find("token_embd.weight");
  if (embedding != nullptr && embedding->shape.size() != 2)
    reader.contradict("tensor 'token_embd.weight' is not a matrix");
  if (!tokens && embedding == nullptr) {
    reader.fail("has neither a vocabulary nor the tensor 'token_embd.weight'",
                "Is this a language model?");
  }
  const std::uint64_t size = embedding != nullptr ? embedding->shape[1] : *tokens;
  if (tokens && *tokens != size) {
    reader.contradict("tokenizer.ggml.tokens has " + std::to_string(*tokens) +
                      " tokens, but token_embd.weight has " + std::to_string(size) + " rows");
  }
  if (size == 0 || size > max_size) {
    reader.contradict("the vocabulary has " + std::to_string(size) + " tokens, expected 1 to " +
                      std::to_string(max_size));
  }
  return static_cast<std::uint32_t>(size);
}

void read_heads(const ConfigReader& reader, ModelConfig& config) {
  config.heads = reader.layer_size("attention.head_count", config.layers);
  config.kv_heads =
      reader.find_layer_size("attention.head_count_kv", config.layers).value_or(config.heads);
  const bool says_head_dim = reader.file().has_key(reader.key("attention.key_length"));
  if (!says_head_dim && config.hidden_size % config.heads != 0) {
    reader.contradict(reader.key("embedding_length") + " " + std::to_string(config.hidden_size) +
                      " is no multiple of the " + std::to_string(config.heads) + " heads");
  }
  config.head_dim = reader.size_or("attention.key_length", config.hidden_size / config.heads);
  if (const auto length = reader.file().find_uint(reader.key("attention.value_length"));
      length.value_or(config.head_dim) != config.head_dim) {
    reader.refuse("has keys of length " + std::to_string(config.head_dim) +
                  " and values of length " + std::to_string(*length));
  }
  // 0 and the default scale both mean the default.
  const double scale = reader.file().find_float(reader.key("attention.scale")).value_or(0);
  const double usual = 1 / std::sqrt(static_cast<double>(config.head_dim));
  if (scale != 0 && !(std::abs(scale - usual) <= 1e-6 * usual)) {
    reader.refuse("scales attention by " + describe_number(scale) + " (" +
                  reader.key("attention.scale") + ")");
  }
  config.rope_dims = reader.size_or("rope.dimension_count", config.head_dim);
  if (const auto problem =
          config_rules::find_head_problem(config, reader.key("rope.dimension_count")))
    reader.contradict(*problem);
}

/// LLaMA 3.1 and later have a tensor with a divisor for every frequency.
void read_rope_divisors(const ConfigReader& reader, ModelConfig& config) {
  constexpr const char* name = "rope_freqs.weight";
  if (reader.file().find(name) == nullptr)
    return;
  if (config.rope_layout != RopeLayout::pairs)
    reader.refuse(std::string("has per-frequency RoPE factors (tensor ") + name + ")");
  config.rope_scaling.divisors = reader.file().require(name, {config.rope_dims / 2}).floats();
  for (const float divisor : config.rope_scaling.divisors) {
    if (!std::isfinite(divisor) || divisor <= 0) {
      reader.contradict(std::string("tensor '") + name + "' has the value " +
                        describe_number(static_cast<double>(divisor)) +
                        ", expected positive numbers");
    }
  }
}

/// Whether frequencies are blended as in YaRN; with an extrapolation factor of 0 that is linear
/// scaling. Refuses other values than the defaults; llama.cpp writes a negative value for the
/// default.
bool read_is_yarn(const ConfigReader& reader, const std::string& type) {
  const auto value_of = [&reader](const char* name, double usual) {
    const double value = reader.file().find_float(reader.key(name)).value_or(usual);
    return value < 0 ? usual : value;
  };
  const auto check = [&](const char* name, double usual) {
    if (const double value = value_of(name, usual); value != usual) {
      reader.refuse("sets " + reader.key(name) + " to " + describe_number(value));
    }
  };
  constexpr const char* extrapolation = "rope.scaling.yarn_ext_factor";
  const bool is_yarn = type == "yarn" && value_of(extrapolation, 1) != 0;
  check("rope.scaling.yarn_attn_factor", 1);
  if (is_yarn) {
    check(extrapolation, 1);
    check("rope.scaling.yarn_log_multiplier", 0);
  } else if (type != "yarn") {
    check(extrapolation, 0);
  }
  return is_yarn;
}

/// As llama.cpp reads the keys: a factor without a type is linear, and a factor of 0 means 1.
void read_rope(const ConfigReader& reader, ModelConfig& config) {
  const GgufFile& file = reader.file();
  RopeScaling& scaling = config.rope_scaling;
  config.rope_theta = reader.positive("rope.freq_base", 10000);
  const bool is_of_llama = config.architecture == "llama" || config.architecture == "eagle3";
  config.rope_layout = is_of_llama ? RopeLayout::pairs : RopeLayout::halves;
  read_rope_divisors(reader, config);
  const std::string type_key = reader.key("rope.scaling.type");
  const std::string type = file.find_string(type_key).value_or("linear");
  const bool has_factor = file.has_key(reader.key("rope.scaling.factor"));
  const char* factor_name = has_factor ? "rope.scaling.factor" : "rope.scale_linear";
  if (type != "none" && file.find_float(reader.key(factor_name)).value_or(0) != 0)
    scaling.factor = static_cast<double>(reader.positive(factor_name, 1));
  scaling.magnitude = static_cast<double>(reader.positive("rope.scaling.attn_factor", 1));
  const bool is_yarn = read_is_yarn(reader, type);
  if (is_yarn) {
    scaling.kind = RopeScalingKind::yarn;
    scaling.magnitude *= yarn_magnitude(scaling.factor);
    scaling.original_context =
        reader.size_or("rope.scaling.original_context_length", config.context_length, max_context);
    scaling.beta_fast = static_cast<double>(reader.positive("rope.scaling.yarn_beta_fast", 32));
    scaling.beta_slow = static_cast<double>(reader.positive("rope.scaling.yarn_beta_slow", 1));
  } else if (type != "none" && type != "linear" && type != "yarn") {
    reader.fail("uses RoPE scaling of type '" + printable(type) + "' (" + type_key +
                    "), supported are: linear, yarn",
                "Use a model with one of these.");
  }
  if (const auto problem = config_rules::find_problem(
          config, {.factor = reader.key("rope.scaling.factor"),
                   .original_context = reader.key("rope.scaling.original_context_length"),
                   .beta_fast = reader.key("rope.scaling.yarn_beta_fast"),
                   .beta_slow = reader.key("rope.scaling.yarn_beta_slow"),
                   .low_freq_factor = {},
                   .high_freq_factor = {},
                   .theta = reader.key("rope.freq_base")}))
    reader.contradict("the metadata key " + *problem);
}

/// No GGUF key says which biases a model has; the first layer's tensors show it.
void read_biases(const GgufFile& file, ModelConfig& config) {
  const auto has_any = [&file](std::initializer_list<const char*> names) {
    return std::ranges::any_of(names, [&file](const char* name) {
      return file.find(std::string("blk.0.") + name + ".bias") != nullptr;
    });
  };
  config.qkv_bias = has_any({"attn_q", "attn_k", "attn_v"});
  config.output_bias = has_any({"attn_output"});
  config.ffn_bias = has_any({"ffn_gate", "ffn_up", "ffn_down"});
}

ModelConfig read_shape(const GgufFile& file, const std::string& architecture) {
  ModelConfig config;
  config.architecture = architecture;
  config_rules::apply_architecture(config);
  const ConfigReader reader(file, config.architecture);
  refuse_unsupported(reader);
  config.name = file.find_string("general.name").value_or(file.path().stem().string());
  config.hidden_size = reader.size("embedding_length");
  config.layers = reader.size("block_count", max_layers);
  config.ffn_size = reader.layer_size("feed_forward_length", config.layers);
  config.context_length = reader.size("context_length", max_context);
  if (const auto window = file.find_uint(reader.key("attention.sliding_window")))
    config.attention_window = static_cast<std::uint32_t>(std::min(*window, max_context));
  read_heads(reader, config);
  config.vocab_size = read_vocab_size(reader);
  config.tied_embeddings = file.find("output.weight") == nullptr;
  read_biases(file, config);
  read_rope(reader, config);
  config.rms_eps = reader.positive("attention.layer_norm_rms_epsilon");
  return config;
}

}  // namespace

ModelConfig read_config(const GgufFile& file) {
  return read_shape(file, read_architecture(file));
}

ModelConfig config_rules::read_eagle3_shape(const GgufFile& file) {
  return read_shape(file, "eagle3");
}

}  // namespace flowspec
