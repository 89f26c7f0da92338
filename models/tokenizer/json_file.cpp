#include "models/tokenizer/json_file.hpp"

#include "models/base/error.hpp"
#include "models/formats/json_file.hpp"
#include "models/formats/text_file.hpp"

namespace flowspec {

using nlohmann::json;

namespace {

/// Twice the largest published file; parsed, it may take some twelve times as much memory.
constexpr std::size_t max_file_bytes = std::size_t{64} << 20;
constexpr const char* advice = "Get the model from another source.";

}  // namespace

JsonFile::JsonFile(const std::filesystem::path& path)
    : path_(path), root_(read_json_object(path, max_file_bytes, advice)) {}

std::optional<JsonFile> JsonFile::find(const std::filesystem::path& path) {
  return has_entry(path) ? std::optional<JsonFile>(std::in_place, path) : std::nullopt;
}

const json* JsonFile::find(const json& object, const std::string& key) {
  if (!object.is_object())
    return nullptr;
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

bool JsonFile::get_bool(const json& object, const std::string& where, const std::string& key,
                        bool fallback) const {
  const json* value = find(object, key);
  if (value != nullptr && !value->is_boolean())
    fail(where + "." + key + " is neither true nor false");
  return value == nullptr ? fallback : value->get<bool>();
}

std::string JsonFile::get_string(const json& object, const std::string& where,
                                 const std::string& key, const std::string& fallback) const {
  const json* value = find(object, key);
  if (value != nullptr && !value->is_string())
    fail(where + "." + key + " is no text");
  return value == nullptr ? fallback : value->get<std::string>();
}

void JsonFile::fail(const std::string& what) const {
  throw ModelError(path_.string() + ": " + what + ". " + advice);
}

void JsonFile::refuse(const std::string& what) const {
  throw ModelError(path_.string() + ": " + what +
                   ", which is not computed. Use the model as a GGUF file, or another model.");
}

}  // namespace flowspec
