#pragma once
/// Internal to models/tokenizer.

#include <filesystem>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace flowspec {

/// A JSON file of a model's folder, whose root is an object.
class JsonFile {
 public:
  /// Throws ModelError for a file that is too large, cannot be read, is nested deeper than any such
  /// file should be, or is no JSON object.
  explicit JsonFile(const std::filesystem::path& path);
  /// Nothing if there is no such file.
  static std::optional<JsonFile> find(const std::filesystem::path& path);

  const nlohmann::json& root() const { return root_; }

  /// Null if the key is missing or null.
  static const nlohmann::json* find(const nlohmann::json& object, const std::string& key);
  /// The value of a key of an object; `fallback` if it is missing or null. For a value of another
  /// type, throws a ModelError that names `where`, the object's place in the file.
  bool get_bool(const nlohmann::json& object, const std::string& where, const std::string& key,
                bool fallback) const;
  std::string get_string(const nlohmann::json& object, const std::string& where,
                         const std::string& key, const std::string& fallback) const;

  /// Throws: the file contradicts itself or its format.
  [[noreturn]] void fail(const std::string& what) const;
  /// Throws: the file asks for something that is not supported and would change the tokens.
  [[noreturn]] void refuse(const std::string& what) const;

 private:
  std::filesystem::path path_;
  nlohmann::json root_;
};

}  // namespace flowspec
