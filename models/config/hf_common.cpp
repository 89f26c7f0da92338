#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "models/config/json_config.hpp"
#include "models/config/rules.hpp"
#include "models/formats/error_text.hpp"

namespace flowspec {
namespace {

using config_rules::max_context;
using config_rules::max_size;

/// `rope_scaling` or, in newer files, `rope_parameters`.
std::optional<JsonConfig> rope_object(const JsonConfig& json) {
  const auto older = json.object("rope_scaling");
  auto newer = json.object("rope_parameters");
  if (older && newer && !older->is_same(*newer))
    json.fail("'rope_scaling' and 'rope_parameters' are both there and differ");
  return older ? older : newer;
}

/// Refuses keys that are not read, since they would change the result. An object among them would
/// give each kind of layer its own RoPE.
void refuse_unknown_keys(const JsonConfig& rope) {
  constexpr std::string_view known[] = {
      "rope_type", "type", "rope_theta", "partial_rotary_factor", "factor",
      "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow", "mscale",
      "mscale_all_dim", "truncate", "low_freq_factor", "high_freq_factor",
      // Says how the model was made; has no effect.
      "finetuned"};
  for (const std::string& key : rope.keys()) {
    const std::string name = printable(key);
    if (rope.is_object(key.c_str())) {
      rope.fail(rope.quoted(name.c_str()) +
                    " is an object: kinds of layers with rotations of their own are not supported",
                "Use a model without that.");
    }
    if (std::ranges::find(known, key) == std::end(known)) {
      rope.fail(rope.quoted(name.c_str()) + " is not known, and may change the result",
                "Use a model without that.");
    }
  }
}

std::string scaling_type(const JsonConfig& json, const JsonConfig& rope) {
  const auto type = rope.text("rope_type");
  const auto old_type = rope.text("type");
  if (type && old_type && *type != *old_type) {
    json.fail(rope.quoted("rope_type") + " is '" + printable(*type) + "', but " +
              rope.quoted("type") + " is '" + printable(*old_type) + "'");
  }
  if (!type && !old_type && rope.has("factor"))
    json.fail(rope.quoted("rope_type") + " is missing beside a factor");
  return type.value_or(old_type.value_or("default"));
}

/// `attention_factor`, or its value from `mscale` and `mscale_all_dim`.
double read_yarn_magnitude(const JsonConfig& rope, double factor) {
  if (rope.has("attention_factor"))
    return rope.positive("attention_factor", {});
  if (!rope.has("mscale") || !rope.has("mscale_all_dim"))
    return yarn_magnitude(factor);
  const auto magnitude = [&](const char* key) {
    return (yarn_magnitude(factor) - 1) * rope.positive(key, {}) + 1;
  };
  return magnitude("mscale") / magnitude("mscale_all_dim");
}

void read_scaling(const JsonConfig& json, const JsonConfig& rope, ModelConfig& config) {
  const std::string type = scaling_type(json, rope);
  if (type == "default")
    return;
  if (type != "linear" && type != "yarn" && type != "llama3") {
    json.fail("scales RoPE by '" + printable(type) + "' (" + rope.quoted("rope_type") +
                  "), supported are: linear, yarn, llama3",
              "Use a model with one of these.");
  }
  RopeScaling& scaling = config.rope_scaling;
  scaling.factor = rope.positive("factor", {});
  if (type == "yarn") {
    scaling.kind = RopeScalingKind::yarn;
    scaling.original_context =
        rope.size("original_max_position_embeddings", config.context_length, max_context);
    scaling.beta_fast = rope.positive("beta_fast", 32);
    scaling.beta_slow = rope.positive("beta_slow", 1);
    scaling.truncate = rope.boolean("truncate", true);
  } else if (type == "llama3") {
    scaling.kind = RopeScalingKind::llama3;
    scaling.original_context = rope.size("original_max_position_embeddings", {}, max_context);
    scaling.low_freq_factor = rope.positive("low_freq_factor", {});
    scaling.high_freq_factor = rope.positive("high_freq_factor", {});
  }
  if (const auto problem = config_rules::find_problem(
          config, {.factor = "factor",
                   .original_context = "original_max_position_embeddings",
                   .beta_fast = "beta_fast",
                   .beta_slow = "beta_slow",
                   .low_freq_factor = "low_freq_factor",
                   .high_freq_factor = "high_freq_factor",
                   .theta = "rope_theta"}))
    json.fail("RoPE scaling of type " + type + ": " + *problem);
  if (type == "yarn")
    scaling.magnitude = read_yarn_magnitude(rope, scaling.factor);
}

}  // namespace

void read_hf_heads(const JsonConfig& json, ModelConfig& config) {
  config.heads = json.size("num_attention_heads", {}, max_size);
  // The other families' defaults differ from this one.
  const bool has_default = config.architecture == "llama";
  config.kv_heads = json.size("num_key_value_heads",
                              has_default ? std::optional(config.heads) : std::nullopt, max_size);
  if (!json.has("head_dim") && config.hidden_size % config.heads != 0) {
    json.fail("'hidden_size' " + std::to_string(config.hidden_size) + " is no multiple of the " +
              std::to_string(config.heads) + " heads");
  }
  const std::uint32_t usual =
      config.architecture == "qwen3" ? 128 : config.hidden_size / config.heads;
  config.head_dim = json.size("head_dim", usual, max_size);
  if (config.head_dim % 2 != 0)
    json.fail("'head_dim': the head size " + std::to_string(config.head_dim) + " is odd");
  config.rope_dims = config.head_dim;
  if (const auto problem = config_rules::find_head_problem(config, "'head_dim'"))
    json.fail(*problem);
}

void read_hf_rope(const JsonConfig& json, ModelConfig& config) {
  config.rope_layout = RopeLayout::halves;
  const auto rope = rope_object(json);
  if (rope)
    refuse_unknown_keys(*rope);
  double theta = json.positive("rope_theta", 10000);
  for (const JsonConfig* object : {&json, rope ? &*rope : nullptr}) {
    if (object != nullptr && object->positive("partial_rotary_factor", 1) != 1) {
      json.fail(object->quoted("partial_rotary_factor") +
                    " is not 1: only a part of each head is " + "turned, which is not supported",
                "Use a model without that.");
    }
  }
  if (rope) {
    const double inner = rope->positive("rope_theta", theta);
    if (json.has("rope_theta") && inner != theta)
      json.fail("'rope_theta' and " + rope->quoted("rope_theta") + " are both there and differ");
    theta = inner;
  }
  config.rope_theta = static_cast<float>(theta);
  if (rope)
    read_scaling(json, *rope, config);
}

}  // namespace flowspec
