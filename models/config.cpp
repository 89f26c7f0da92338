#include "models/config.hpp"

#include <cmath>
#include <limits>
#include <optional>

#include "models/error.hpp"
#include "models/formats/gguf.hpp"

namespace flowspec {
namespace {

// Far beyond every published model; products of two of them fit in 64 bits.
constexpr std::uint64_t max_size = std::uint64_t{1} << 24;
constexpr std::uint64_t max_layers = 4096;
constexpr std::uint64_t max_context = std::numeric_limits<std::int32_t>::max();

/// Reads and checks the keys of one file.
class ConfigReader {
 public:
  explicit ConfigReader(const GgufFile& file) : file_(file) {}

  [[noreturn]] void fail(const std::string& what, const std::string& advice) const {
    throw ModelError(file_.path().string() + ": " + what + ". " + advice);
  }

  [[noreturn]] void contradict(const std::string& what) const {
    fail(what, "The file's metadata contradicts itself: get the model from another source.");
  }

  std::uint32_t size(const std::string& key, std::uint64_t most = max_size) const {
    return checked(key, file_.require_uint(key), most);
  }

  std::uint32_t size_or(const std::string& key, std::uint32_t fallback,
                        std::uint64_t most = max_size) const {
    const auto value = file_.find_uint(key);
    return value ? checked(key, *value, most) : fallback;
  }

  float positive(const std::string& key, double value) const {
    const auto number = static_cast<float>(value);
    if (!std::isfinite(number) || number <= 0) {
      contradict("the metadata key '" + key + "' is " + std::to_string(value) +
                 ", expected a positive number");
    }
    return number;
  }

  void refuse(const std::string& feature) const {
    fail(feature + ", which is not supported", "Use a plain LLaMA model.");
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
};

void check_architecture(const ConfigReader& reader) {
  const GgufFile& file = reader.file();
  const std::string kind = file.find_string("general.type").value_or("model");
  if (kind != "model") {
    reader.fail("holds a '" + kind + "', expected a 'model'", "Give the language model itself.");
  }
  const std::string architecture = file.require_string("general.architecture");
  if (architecture != "llama") {
    reader.fail("has the architecture '" + architecture + "', supported is: llama",
                "Use a model of that architecture.");
  }
  if (const auto parts = file.find_uint("split.count"); parts.value_or(1) > 1) {
    reader.fail("is one of " + std::to_string(*parts) + " parts of a model",
                "Merge them with `llama-gguf-split --merge`.");
  }
}

/// Whatever changes the result and is not computed here must not pass unseen.
void refuse_unsupported(const ConfigReader& reader) {
  const GgufFile& file = reader.file();
  const std::string scaling = file.find_string("llama.rope.scaling.type").value_or("none");
  const double factor = file.find_float("llama.rope.scaling.factor").value_or(1);
  const bool is_identity = factor == 0 || factor == 1;  // 0 is how llama.cpp writes "none"
  if (scaling != "none" && !(scaling == "linear" && is_identity)) {
    reader.refuse("uses RoPE scaling of type '" + scaling + "'");
  }
  const double old_factor = file.find_float("llama.rope.scale_linear").value_or(1);
  if (old_factor != 0 && old_factor != 1) {
    reader.refuse("uses linear RoPE scaling (llama.rope.scale_linear)");
  }
  if (file.find("rope_freqs.weight") != nullptr) {
    reader.refuse("has per-frequency RoPE factors (tensor rope_freqs.weight)");
  }
  if (const auto experts = file.find_uint("llama.expert_count"); experts.value_or(0) > 0) {
    reader.refuse("is a mixture of " + std::to_string(*experts) + " experts");
  }
  if (file.find_float("llama.attention.scale").value_or(0) != 0) {
    reader.refuse("scales attention by llama.attention.scale");
  }
  if (!file.find_bool("llama.attention.causal").value_or(true)) {
    reader.refuse("has attention that is not causal");
  }
}

std::uint32_t read_vocab_size(const ConfigReader& reader) {
  const GgufFile& file = reader.file();
  const auto tokens = file.find_length("tokenizer.ggml.tokens");
  const TensorInfo* embedding = file.find("token_embd.weight");
  if (embedding != nullptr && embedding->shape.size() != 2) {
    reader.contradict("tensor 'token_embd.weight' is not a matrix");
  }
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
  config.heads = reader.size("llama.attention.head_count");
  config.kv_heads = reader.size_or("llama.attention.head_count_kv", config.heads);
  if (config.heads % config.kv_heads != 0) {
    reader.contradict(std::to_string(config.heads) + " heads cannot share " +
                      std::to_string(config.kv_heads) + " key/value heads evenly");
  }
  const bool says_head_dim = reader.file().has_key("llama.attention.key_length");
  if (!says_head_dim && config.hidden_size % config.heads != 0) {
    reader.contradict("llama.embedding_length " + std::to_string(config.hidden_size) +
                      " is no multiple of the " + std::to_string(config.heads) + " heads");
  }
  config.head_dim = reader.size_or("llama.attention.key_length", config.hidden_size / config.heads);
  if (const auto length = reader.file().find_uint("llama.attention.value_length");
      length.value_or(config.head_dim) != config.head_dim) {
    reader.refuse("has keys of length " + std::to_string(config.head_dim) +
                  " and values of length " + std::to_string(*length));
  }
  config.rope_dims = reader.size_or("llama.rope.dimension_count", config.head_dim);
  if (config.rope_dims > config.head_dim || config.rope_dims % 2 != 0) {
    reader.contradict("llama.rope.dimension_count is " + std::to_string(config.rope_dims) +
                      ", expected an even number up to the head size " +
                      std::to_string(config.head_dim));
  }
}

}  // namespace

ModelConfig read_config(const GgufFile& file) {
  const ConfigReader reader(file);
  check_architecture(reader);
  refuse_unsupported(reader);
  ModelConfig config;
  config.architecture = "llama";
  config.name = file.find_string("general.name").value_or(file.path().stem().string());
  config.hidden_size = reader.size("llama.embedding_length");
  config.layers = reader.size("llama.block_count", max_layers);
  config.ffn_size = reader.size("llama.feed_forward_length");
  config.context_length = reader.size("llama.context_length", max_context);
  read_heads(reader, config);
  config.vocab_size = read_vocab_size(reader);
  config.rope_theta = reader.positive("llama.rope.freq_base",
                                      file.find_float("llama.rope.freq_base").value_or(10000));
  const std::string eps_key = "llama.attention.layer_norm_rms_epsilon";
  config.rms_eps = reader.positive(eps_key, file.require_float(eps_key));
  return config;
}

}  // namespace flowspec
