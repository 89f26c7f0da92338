#pragma once
/// Rules for configurations from every source. Internal to models/config and drafts.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "models/config/config.hpp"

namespace flowspec::config_rules {

// Far beyond every published model; products of two of them fit in 64 bits.
inline constexpr std::uint64_t max_size = std::uint64_t{1} << 24;
inline constexpr std::uint64_t max_layers = 4096;
inline constexpr std::uint64_t max_context = std::numeric_limits<std::int32_t>::max();

/// Sets the defaults of the architecture; the file may override them.
void apply_architecture(ModelConfig& config);

/// The shape of an EAGLE-3 head's own layers: the keys and tensors are those of a model. Throws
/// ModelError as `read_config` does.
ModelConfig read_eagle3_shape(const GgufFile& file);

/// Names of keys, for messages; they differ between sources.
struct ScalingKeys {
  std::string factor;
  std::string original_context;
  std::string beta_fast;
  std::string beta_slow;
  std::string low_freq_factor;
  std::string high_freq_factor;
  std::string theta;
};

/// Describes RoPE scaling values that cannot be computed; nothing if all are fine.
std::optional<std::string> find_problem(const ModelConfig& config, const ScalingKeys& keys);

/// Describes how heads, key/value heads, head size and rotated part do not fit together; nothing if
/// they do.
/// @param key  the key of the rotated part.
std::optional<std::string> find_head_problem(const ModelConfig& config, const std::string& key);

}  // namespace flowspec::config_rules
