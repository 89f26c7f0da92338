#pragma once

#include <filesystem>

#include "models/config.hpp"

namespace flowspec {

/// The shape of an EAGLE head.
struct EagleConfig {
  /// As of a model with one layer, in the words of the head's config.json.
  ModelConfig model;
  /// Whether the linear that joins embedding and feature has a bias.
  bool has_bias = true;
};

/// Reads a head's config.json, with the defaults of Hugging Face's LLaMA for keys that are missing.
/// Throws ModelError for features that would change the result and are not computed, and for values
/// that contradict each other.
EagleConfig read_eagle_config(const std::filesystem::path& path);

}  // namespace flowspec
