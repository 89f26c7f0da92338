#include "models/drafts/eagle3_config.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "models/base/error.hpp"
#include "models/config/json_config.hpp"
#include "models/config/rules.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/gguf.hpp"

namespace flowspec {
namespace {

using config_rules::max_layers;
using config_rules::max_size;

constexpr const char* advice = "Give the config.json that came with the EAGLE-3 head.";
constexpr const char* layer_ids = "eagle_aux_hidden_state_layer_ids";
/// As many as there is any use for; so a broken file does not ask for memory without bounds.
constexpr std::size_t max_taps = 64;

/// The keys of a head, at the top of its config.json and in the objects within.
struct Keys {
  explicit Keys(const std::filesystem::path& path)
      : top(path, advice),
        layers(top.object("transformer_layer_config").value_or(top)),
        eagle(top.object("eagle_config")) {}

  [[noreturn]] void refuse(const std::string& feature) const {
    top.fail("the EAGLE-3 head " + feature + ", which is not supported",
             "Use a head without that.");
  }

  /// A flag that some write at the top and others in `eagle_config`.
  bool flag(const char* key) const {
    if (eagle && eagle->has(key)) {
      if (top.has(key) && top.boolean(key, false) != eagle->boolean(key, false))
        top.fail(top.quoted(key) + " and " + eagle->quoted(key) + " are both there and differ");
      return eagle->boolean(key, false);
    }
    return top.boolean(key, false);
  }

  JsonConfig top;
  /// Where the shape of the layers is.
  JsonConfig layers;
  std::optional<JsonConfig> eagle;
};

std::string read_architecture(const Keys& keys) {
  constexpr std::array<std::string_view, 4> plain{"llama", "mistral", "qwen2", "qwen3"};
  const std::string type = keys.layers.text("model_type").value_or("llama");
  if (std::ranges::find(plain, type) == plain.end())
    keys.refuse("has layers of " + keys.layers.quoted("model_type") + " '" + printable(type) + "'");
  // The default size of a head depends on it; the tensors say the rest.
  return type == "qwen3" ? "qwen3" : "llama";
}

void refuse_unsupported(const Keys& keys) {
  const auto kind = keys.top.text("speculators_model_type");
  if (kind && *kind != "eagle3")
    keys.refuse("is of " + keys.top.quoted("speculators_model_type") + " '" + printable(*kind) +
                "'");
  if (keys.top.has("quantization_config"))
    keys.refuse("is quantised ('quantization_config')");
  if (keys.layers.text("hidden_act").value_or("silu") != "silu")
    keys.refuse("has another activation than silu (" + keys.layers.quoted("hidden_act") + ")");
  const auto types = keys.layers.texts("layer_types");
  if (types && std::ranges::find(*types, "sliding_attention") != types->end())
    keys.refuse("has a sliding window (" + keys.layers.quoted("layer_types") + ")");
}

/// Sorts them, as the programs that serve heads take taps in the order of the layers.
std::vector<std::uint32_t> sorted_taps(std::vector<std::uint32_t> taps, const auto& fail) {
  std::ranges::sort(taps);
  if (taps.empty() || taps.size() > max_taps)
    fail(" has " + std::to_string(taps.size()) + " layers, expected 1 to " +
         std::to_string(max_taps));
  if (std::ranges::adjacent_find(taps) != taps.end())
    fail(" names a layer twice");
  return taps;
}

std::optional<std::vector<std::uint32_t>> read_taps(const Keys& keys) {
  if (keys.eagle && !keys.eagle->boolean("use_aux_hidden_state", true))
    return std::vector<std::uint32_t>{};
  const auto read = [&](const JsonConfig& from) {
    auto ids = from.sizes(layer_ids, max_layers);
    return ids ? std::optional(sorted_taps(std::move(*ids),
                                           [&](const std::string& what) {
                                             keys.top.fail(from.quoted(layer_ids) + what);
                                           }))
               : std::nullopt;
  };
  const auto inputs = read(keys.top);
  auto outputs = keys.eagle ? read(*keys.eagle) : std::nullopt;
  if (outputs)
    for (std::uint32_t& layer : *outputs)
      ++layer;  // the output of a layer enters the next one
  if (inputs && outputs && *inputs != *outputs) {
    keys.top.fail("'" + std::string(layer_ids) + "' (whose inputs are tapped) and " +
                  keys.eagle->quoted(layer_ids) +
                  " (whose outputs are tapped) are both there and mean different layers");
  }
  return inputs ? inputs : outputs;
}

}  // namespace

Eagle3Config read_eagle3_config(const std::filesystem::path& path) {
  const Keys keys(path);
  refuse_unsupported(keys);
  Eagle3Config result;
  ModelConfig& config = result.model;
  config.architecture = read_architecture(keys);
  config.name = std::filesystem::absolute(path).parent_path().filename().string();
  config.layers = keys.layers.size("num_hidden_layers", 1, max_layers);
  config.hidden_size = keys.layers.size("hidden_size", {}, max_size);
  config.ffn_size = keys.layers.size("intermediate_size", {}, max_size);
  config.vocab_size = keys.layers.size("vocab_size", {}, max_size);
  config.context_length =
      keys.layers.size("max_position_embeddings", 2048, config_rules::max_context);
  read_hf_heads(keys.layers, config);
  read_hf_rope(keys.layers, config);
  config.rms_eps = static_cast<float>(keys.layers.positive("rms_norm_eps", 1e-6));
  result.draft_vocab_size = keys.top.size("draft_vocab_size", config.vocab_size, max_size);
  result.target_hidden_size = keys.top.size("target_hidden_size", config.hidden_size, max_size);
  result.taps = read_taps(keys);
  result.norm_before_residual = keys.flag("norm_before_residual");
  result.norm_before_fc = keys.flag("norm_before_fc");
  result.fc_norm = keys.flag("fc_norm");
  result.norm_output = keys.flag("norm_output");
  return result;
}

Eagle3Config read_eagle3_config(const GgufFile& file) {
  const auto fail = [&file](const std::string& what) {
    throw ModelError(file.path().string() + ": " + what + ". Get the EAGLE-3 head again.");
  };
  if (file.require_string("general.architecture") != "eagle3")
    fail("is no EAGLE-3 head (general.architecture is not 'eagle3')");
  const auto key = [](const char* name) { return std::string("eagle3.") + name; };
  const auto size = [&](const char* name, std::uint64_t value) {
    if (value == 0 || value > max_size)
      fail(std::string(name) + " is " + std::to_string(value) + ", expected 1 to " +
           std::to_string(max_size));
    return static_cast<std::uint32_t>(value);
  };
  Eagle3Config result;
  result.model = config_rules::read_eagle3_shape(file);
  result.has_absolute_ids = true;
  const TensorInfo* ids = file.find("d2t");
  result.draft_vocab_size = size("the length of tensor 'd2t'",
                                 ids != nullptr ? ids->elements() : result.model.vocab_size);
  const std::string width = key("target_hidden_size");
  result.target_hidden_size =
      size(width.c_str(), file.find_uint(width).value_or(result.model.hidden_size));
  const std::string layers =
      key(file.has_key(key("extract_layers")) ? "extract_layers" : "target_layers");
  std::vector<std::uint32_t> taps;
  for (const std::int64_t layer : file.require_ints(layers)) {
    if (layer < 0 || layer > static_cast<std::int64_t>(max_layers))
      fail(layers + " has the value " + std::to_string(layer) + ", expected layers from 0 on");
    taps.push_back(static_cast<std::uint32_t>(layer));
  }
  result.taps = sorted_taps(
      std::move(taps), [&](const std::string& what) { fail(layers + what); });
  const auto flag = [&](const char* name) { return file.find_bool(key(name)).value_or(false); };
  result.norm_before_residual = flag("norm_before_residual");
  result.norm_before_fc = flag("norm_before_fc");
  return result;
}

std::vector<std::uint32_t> taps_in(const Eagle3Config& config, std::uint32_t target_layers,
                                   const std::filesystem::path& file) {
  const auto fail = [&](const std::string& what) {
    throw ModelError(file.string() + ": " + what + ", but the model has " +
                     std::to_string(target_layers) +
                     " layers. Use the head that was trained for this model.");
  };
  if (!config.taps) {
    if (target_layers < 7)
      fail(
          "the EAGLE-3 head names no layers, and the usual ones (2, half, the third from the end) "
          "need at least 7");
    return {2, target_layers / 2, target_layers - 3};
  }
  for (const std::uint32_t tap : *config.taps)
    if (tap > target_layers)
      fail("the EAGLE-3 head taps what enters layer " + std::to_string(tap));
  return *config.taps;
}

}  // namespace flowspec
