#pragma once

#include <filesystem>
#include <optional>
#include <string>

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

/// What shows, in a config.json, that a head is of EAGLE-3, for messages: "'draft_vocab_size'";
/// nothing if it is not. Throws ModelError for a file that is no JSON object.
std::optional<std::string> find_eagle3_sign(const std::filesystem::path& config);

/// The same for the tensors of a head.
std::optional<std::string> find_eagle3_sign(const SafetensorsFile& file);

/// Reads a head's config.json, with the defaults of Hugging Face's LLaMA for keys that are missing.
/// Throws ModelError for unsupported features that would change the result, and for values that
/// contradict each other.
EagleConfig read_eagle_config(const std::filesystem::path& path);

}  // namespace flowspec
