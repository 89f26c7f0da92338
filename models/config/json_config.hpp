#pragma once
/// A checkpoint's config.json. Internal to models/: the header drags the JSON library in.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "models/config/config.hpp"

namespace flowspec {

/// The keys of a config.json, or of an object in it. A key that is null counts as missing. The
/// functions throw ModelError, which names file and key, for a value of another type.
class JsonConfig {
 public:
  /// @param advice  what the user can do about a bad file; ends the messages.
  JsonConfig(const std::filesystem::path& path, std::string advice);

  [[noreturn]] void fail(const std::string& what) const;
  /// The same with other advice.
  [[noreturn]] void fail(const std::string& what, const std::string& advice) const;
  /// "'rope_scaling.factor'", for messages.
  std::string quoted(const char* key) const;

  bool has(const char* key) const { return find(key) != nullptr; }
  /// The key is present and null.
  bool is_null(const char* key) const;
  /// From `least` to `most`. Without a fallback the key is required.
  std::uint32_t size(const char* key, std::optional<std::uint32_t> fallback, std::uint64_t most,
                     std::uint64_t least = 1) const;
  /// A list of integers from 0 to `most`; nothing if the key is missing.
  std::optional<std::vector<std::uint32_t>> sizes(const char* key, std::uint64_t most) const;
  /// Finite and more than 0.
  double positive(const char* key, std::optional<double> fallback) const;
  bool boolean(const char* key, bool fallback) const;
  std::optional<std::string> text(const char* key) const;
  /// The text, or the texts of a list; empty if the value is missing or something else.
  std::vector<std::string> any_texts(const char* key) const;
  std::optional<std::vector<std::string>> texts(const char* key) const;
  std::optional<JsonConfig> object(const char* key) const;
  /// The names of all keys that are not null.
  std::vector<std::string> keys() const;
  bool is_object(const char* key) const;
  bool is_same(const JsonConfig& other) const { return root_ == other.root_; }

 private:
  const nlohmann::json* find(const char* key) const;

  std::filesystem::path path_;
  std::string advice_;
  /// "rope_scaling." in the object of that name.
  std::string prefix_;
  nlohmann::json root_;
};

/// Reads what Hugging Face's LLaMA, Mistral and Qwen configurations have in common: heads, and the
/// rotation with its scaling. `config` must have architecture, hidden_size and context_length.
void read_hf_heads(const JsonConfig& json, ModelConfig& config);
void read_hf_rope(const JsonConfig& json, ModelConfig& config);

}  // namespace flowspec
