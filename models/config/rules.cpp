#include "models/config/rules.hpp"

namespace flowspec::config_rules {

void apply_architecture(ModelConfig& config) {
  config.qkv_bias = config.architecture == "qwen2";
  config.qk_norm = config.architecture == "qwen3";
}

std::optional<std::string> find_problem(const ModelConfig& config, const ScalingKeys& keys) {
  const RopeScaling& scaling = config.rope_scaling;
  if (scaling.kind == RopeScalingKind::linear)
    return std::nullopt;
  if (scaling.factor < 1)
    return "'" + keys.factor + "' is " + std::to_string(scaling.factor) + ", expected 1 or more";
  if (scaling.original_context == 0)
    return "'" + keys.original_context + "' is missing";
  if (scaling.kind == RopeScalingKind::yarn && scaling.beta_fast <= scaling.beta_slow) {
    return "'" + keys.beta_fast + "' is " + std::to_string(scaling.beta_fast) +
           ", expected more than '" + keys.beta_slow + "', which is " +
           std::to_string(scaling.beta_slow);
  }
  if (scaling.kind == RopeScalingKind::yarn && config.rope_theta <= 1) {
    return "'" + keys.theta + "' is " + std::to_string(config.rope_theta) +
           ", expected more than 1 with YaRN";
  }
  if (scaling.kind == RopeScalingKind::llama3 &&
      scaling.high_freq_factor <= scaling.low_freq_factor) {
    return "'" + keys.high_freq_factor + "' is " + std::to_string(scaling.high_freq_factor) +
           ", expected more than '" + keys.low_freq_factor + "', which is " +
           std::to_string(scaling.low_freq_factor);
  }
  return std::nullopt;
}

std::optional<std::string> find_head_problem(const ModelConfig& config, const std::string& key) {
  if (config.heads % config.kv_heads != 0) {
    return std::to_string(config.heads) + " heads cannot share " + std::to_string(config.kv_heads) +
           " key/value heads evenly";
  }
  if (std::uint64_t{config.heads} * config.head_dim > max_size) {
    return std::to_string(config.heads) + " heads of " + std::to_string(config.head_dim) +
           " values are " + std::to_string(std::uint64_t{config.heads} * config.head_dim) +
           ", expected at most " + std::to_string(max_size) + " together";
  }
  if (config.rope_dims > config.head_dim || config.rope_dims % 2 != 0) {
    return key + " is " + std::to_string(config.rope_dims) +
           ", expected an even number up to the head size " + std::to_string(config.head_dim);
  }
  return std::nullopt;
}

}  // namespace flowspec::config_rules
