#include "models/drafts/eagle3_tensors.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/noting_files.hpp"

namespace flowspec {
namespace {

[[noreturn]] void fail(const ModelFiles& files, const std::string& what,
                       const std::string& advice) {
  throw ModelError(files.path().string() + ": " + what + ". " + advice);
}

constexpr const char* get_again = "Get the EAGLE-3 head again.";
constexpr const char* right_head = "Use the head that was trained for this model.";

void check_equal(const ModelFiles& files, const char* what, std::uint32_t head,
                 std::uint32_t target) {
  if (head != target) {
    fail(files,
         std::string("the EAGLE-3 head's ") + what + " is " + std::to_string(head) +
             ", the model's is " + std::to_string(target),
         right_head);
  }
}

/// No key says it for all dialects.
void complete(const ModelFiles& files, ModelConfig& model) {
  const auto has = [&files](const char* name) {
    return files.find(std::string("blk.0.") + name) != nullptr;
  };
  model.qkv_bias = has("attn_q.bias") || has("attn_k.bias") || has("attn_v.bias");
  model.output_bias = has("attn_output.bias");
  model.ffn_bias = has("ffn_gate.bias") || has("ffn_up.bias") || has("ffn_down.bias");
  model.qk_norm = model.architecture == "qwen3" || has("attn_q_norm.weight");
}

/// Tensors that only training needs, and RoPE's frequencies, which have been read or follow from
/// the configuration.
bool is_idle(const TensorInfo& tensor, bool reads_taps) {
  constexpr std::array<std::string_view, 5> idle{"d2t", "t2d", "verifier_norm.weight",
                                                 "verifier_lm_head.weight", "rope_freqs.weight"};
  return std::ranges::find(idle, tensor.name) != idle.end() ||
         tensor.name.ends_with("rotary_emb.inv_freq") ||
         (!reads_taps && tensor.name == "fc.weight");
}

/// Reads `d2t`, which the configuration has said to be of ids or of differences.
std::vector<Token> read_draft_to_target(const ModelFiles& files, const Eagle3Config& config,
                                        std::uint32_t target_vocab) {
  const TensorInfo* tensor = files.find("d2t");
  if (tensor == nullptr) {
    if (config.draft_vocab_size != target_vocab) {
      fail(files,
           "tensor 'd2t' is missing, though the EAGLE-3 head has " +
               std::to_string(config.draft_vocab_size) + " tokens of the model's " +
               std::to_string(target_vocab),
           get_again);
    }
    return {};
  }
  const std::string quoted = "tensor 'd2t'";
  if ((tensor->type != type_i64 && tensor->type != type_i32) || tensor->shape.size() != 1 ||
      tensor->shape[0] != config.draft_vocab_size) {
    fail(files,
         quoted + " is no list of " + std::to_string(config.draft_vocab_size) +
             " integers (I32 or I64)",
         get_again);
  }
  std::vector<Token> result;
  std::vector<bool> taken(target_vocab);
  for (const std::int64_t value : tensor->integers()) {
    const auto index = static_cast<std::int64_t>(result.size());
    // Both are small enough only once they have been checked.
    const bool fits = value >= -index && value < std::int64_t{target_vocab};
    const std::int64_t id = fits && !config.has_absolute_ids ? value + index : value;
    if (!fits || id < 0 || id >= std::int64_t{target_vocab}) {
      fail(files,
           quoted + " has the value " + std::to_string(value) + " at " + std::to_string(index) +
               ", which stands for none of the model's " + std::to_string(target_vocab) + " tokens",
           right_head);
    }
    if (taken[static_cast<std::size_t>(id)])
      fail(files, quoted + " names token " + std::to_string(id) + " twice", get_again);
    taken[static_cast<std::size_t>(id)] = true;
    result.push_back(static_cast<Token>(id));
  }
  return result;
}

void check_target(const ModelFiles& files, const Eagle3Config& config, const ModelConfig& target,
                  bool reads_taps) {
  check_equal(files, "hidden size of the model that it reads ('target_hidden_size')",
              config.target_hidden_size, target.hidden_size);
  if (!reads_taps)
    check_equal(files, "hidden size", config.model.hidden_size, target.hidden_size);
}

}  // namespace

Eagle3Tensors::Eagle3Tensors(const OpenEagle3& head, const ModelFiles& target_files,
                             const ModelConfig& target)
    : model(head.config.model) {
  const Eagle3Config& config = head.config;
  const NotingFiles files(*head.files);
  complete(files, model);
  taps = taps_in(config, target.layers, files.path());
  check_target(files, config, target, !taps.empty());
  find_inputs(files, config);
  find_layers(files);
  find_vocabulary(files, config, target_files, target);
  for (const TensorInfo* tensor : files.all_tensors()) {
    if (!files.is_noted(tensor) && !is_idle(*tensor, !taps.empty())) {
      fail(files,
           "tensor '" + printable(tensor->name) +
               "' has no place in an EAGLE-3 head of this configuration",
           "Give the configuration that came with it, or use a head without that tensor.");
    }
  }
}

void Eagle3Tensors::find_inputs(const ModelFiles& files, const Eagle3Config& config) {
  if (taps.empty())
    return;
  const std::uint64_t width = std::uint64_t{config.target_hidden_size} * taps.size();
  join = &files.require("fc.weight", {width, model.hidden_size});
  if (config.norm_before_fc)
    joined_norm = &files.require("enc.output_norm.weight", {width});
  for (std::size_t i = 0; config.fc_norm && i < taps.size(); ++i)
    tap_norms.push_back(
        &files.require("fc_norm." + std::to_string(i) + ".weight", {config.target_hidden_size}));
}

void Eagle3Tensors::find_layers(const ModelFiles& files) {
  feature_norm = &files.require("blk.0.attn_norm_2.weight", {model.hidden_size});
  layers.push_back(find_layer_tensors(files, model, 0, 2 * std::uint64_t{model.hidden_size}));
  embedding_norm = layers[0].attention_norm;
  layers[0].attention_norm = nullptr;
  for (std::uint32_t layer = 1; layer < model.layers; ++layer)
    layers.push_back(find_layer_tensors(files, model, layer));
  output_norm = &files.require("output_norm.weight", {model.hidden_size});
}

void Eagle3Tensors::find_vocabulary(const ModelFiles& files, const Eagle3Config& config,
                                    const ModelFiles& target_files, const ModelConfig& target) {
  has_own_embedding = files.find("token_embd.weight") != nullptr;
  if (has_own_embedding) {
    check_equal(files, "vocabulary size", model.vocab_size, target.vocab_size);
    embedding = &find_embedding(files, model);
  } else {
    check_equal(files, "hidden size (it has no embedding of its own)", model.hidden_size,
                target.hidden_size);
    embedding = &find_embedding(target_files, target);
  }
  draft_to_target = read_draft_to_target(files, config, target.vocab_size);
  if (files.find("output.weight") != nullptr) {
    output = &files.require("output.weight", {model.hidden_size, config.draft_vocab_size});
    return;
  }
  if (config.draft_vocab_size != target.vocab_size || !draft_to_target.empty())
    files.require("output.weight", {model.hidden_size, config.draft_vocab_size});  // says so
  check_equal(files, "hidden size (it has no output matrix of its own)", model.hidden_size,
              target.hidden_size);
}

}  // namespace flowspec
