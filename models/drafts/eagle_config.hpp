#pragma once

#include <filesystem>

#include "models/config/config.hpp"

namespace flowspec {

class SafetensorsFile;

/// The shape of an EAGLE head.
struct EagleConfig {
  /// As for a model with one layer, from the head's config.json.
  ModelConfig model;
  /// Whether the linear layer that joins embedding and feature has a bias.
  bool has_bias = true;
};

/// Whether a config.json is that of an EAGLE-3 head. Throws ModelError for a file that is no JSON
/// object.
bool is_eagle3(const std::filesystem::path& config);

/// Whether the tensors are those of an EAGLE-3 head.
bool is_eagle3(const SafetensorsFile& file);

/// Reads a head's config.json, with the defaults of Hugging Face's LLaMA for keys that are missing.
/// Throws ModelError for unsupported features that would change the result, and for values that
/// contradict each other.
EagleConfig read_eagle_config(const std::filesystem::path& path);

}  // namespace flowspec
