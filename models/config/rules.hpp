#pragma once
/// What holds for configurations of every source. Internal to models/config and drafts.

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>

#include "models/config/config.hpp"

namespace flowspec::config_rules {

// Far beyond every published model; products of two of them fit in 64 bits.
inline constexpr std::uint64_t max_size = std::uint64_t{1} << 24;
inline constexpr std::uint64_t max_layers = 4096;
inline constexpr std::uint64_t max_context = std::numeric_limits<std::int32_t>::max();

/// Sets what follows from the architecture, unless the file says otherwise.
void apply_architecture(ModelConfig& config);

/// Throws ModelError, which says what to use instead.
/// @param sign  how it was recognised.
[[noreturn]] void refuse_eagle3(const std::filesystem::path& file, const std::string& sign);

/// Names of keys, for messages: they differ from source to source.
struct ScalingKeys {
  std::string factor;
  std::string original_context;
  std::string beta_fast;
  std::string beta_slow;
  std::string low_freq_factor;
  std::string high_freq_factor;
  std::string theta;
};

/// Values of RoPE scaling that cannot be computed with, in words; nothing if all is well.
std::optional<std::string> find_problem(const ModelConfig& config, const ScalingKeys& keys);

/// Whether heads, key/value heads, head size and rotated part fit together; in words.
/// @param key  of the rotated part.
std::optional<std::string> find_head_problem(const ModelConfig& config, const std::string& key);

}  // namespace flowspec::config_rules
