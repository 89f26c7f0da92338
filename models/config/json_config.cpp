#include "models/config/json_config.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/json_file.hpp"

namespace flowspec {

using nlohmann::json;

JsonConfig::JsonConfig(const std::filesystem::path& path, std::string advice)
    : path_(path),
      advice_(std::move(advice)),
      root_(read_json_object(path, std::size_t{1} << 20, advice_)) {}

void JsonConfig::fail(const std::string& what) const {
  fail(what, advice_);
}

void JsonConfig::fail(const std::string& what, const std::string& advice) const {
  throw ModelError(path_.string() + ": " + what + ". " + advice);
}

std::string JsonConfig::quoted(const char* key) const {
  return "'" + prefix_ + key + "'";
}

const json* JsonConfig::find(const char* key) const {
  const auto it = root_.find(key);
  return it == root_.end() || it->is_null() ? nullptr : &*it;
}

bool JsonConfig::is_null(const char* key) const {
  const auto it = root_.find(key);
  return it != root_.end() && it->is_null();
}

std::vector<std::string> JsonConfig::keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : root_.items())
    if (!value.is_null())
      keys.push_back(key);
  return keys;
}

bool JsonConfig::is_object(const char* key) const {
  const json* value = find(key);
  return value != nullptr && value->is_object();
}

std::uint32_t JsonConfig::size(const char* key, std::optional<std::uint32_t> fallback,
                               std::uint64_t most, std::uint64_t least) const {
  const json* value = find(key);
  if (value == nullptr && fallback)
    return *fallback;
  if (value == nullptr)
    fail("has no " + quoted(key));
  if (!value->is_number_unsigned() || value->get<std::uint64_t>() < least ||
      value->get<std::uint64_t>() > most) {
    fail(quoted(key) + " is not an integer from " + std::to_string(least) + " to " +
         std::to_string(most));
  }
  return value->get<std::uint32_t>();
}

std::optional<std::vector<std::uint32_t>> JsonConfig::sizes(const char* key,
                                                            std::uint64_t most) const {
  const json* value = find(key);
  if (value == nullptr)
    return std::nullopt;
  const auto fits = [most](const json& x) {
    return x.is_number_unsigned() && x.get<std::uint64_t>() <= most;
  };
  if (!value->is_array() || !std::ranges::all_of(*value, fits))
    fail(quoted(key) + " is not a list of integers from 0 to " + std::to_string(most));
  return value->get<std::vector<std::uint32_t>>();
}

double JsonConfig::positive(const char* key, std::optional<double> fallback) const {
  const json* value = find(key);
  if (value == nullptr && fallback)
    return *fallback;
  if (value == nullptr)
    fail("has no " + quoted(key));
  const double number = value->is_number() ? value->get<double>() : 0;
  // Computations may use it as a float.
  const auto as_float = static_cast<float>(number);
  if (!value->is_number() || number <= 0) {
    fail(quoted(key) + " is " + printable(value->dump(-1, ' ', true)) +
         ", expected a positive number");
  }
  if (!std::isfinite(as_float) || as_float <= 0) {
    fail(quoted(key) + " is " + printable(value->dump()) +
         ", expected a number that a float32 can hold");
  }
  return number;
}

bool JsonConfig::boolean(const char* key, bool fallback) const {
  const json* value = find(key);
  if (value != nullptr && !value->is_boolean())
    fail(quoted(key) + " is not true or false");
  return value != nullptr ? value->get<bool>() : fallback;
}

std::optional<std::string> JsonConfig::text(const char* key) const {
  const json* value = find(key);
  if (value == nullptr)
    return std::nullopt;
  if (!value->is_string())
    fail(quoted(key) + " is not a string");
  return value->get<std::string>();
}

std::optional<std::vector<std::string>> JsonConfig::texts(const char* key) const {
  const json* value = find(key);
  if (value == nullptr)
    return std::nullopt;
  if (!value->is_array() ||
      !std::ranges::all_of(*value, [](const json& x) { return x.is_string(); }))
    fail(quoted(key) + " is not a list of strings");
  return value->get<std::vector<std::string>>();
}

std::vector<std::string> JsonConfig::any_texts(const char* key) const {
  const json* value = find(key);
  std::vector<std::string> result;
  if (value != nullptr && value->is_string()) {
    result.push_back(value->get<std::string>());
  } else if (value != nullptr && value->is_array()) {
    for (const json& element : *value)
      if (element.is_string())
        result.push_back(element.get<std::string>());
  }
  return result;
}

std::optional<JsonConfig> JsonConfig::object(const char* key) const {
  const json* value = find(key);
  if (value == nullptr)
    return std::nullopt;
  if (!value->is_object())
    fail(quoted(key) + " is not an object");
  JsonConfig result = *this;
  result.prefix_ = prefix_ + key + ".";
  result.root_ = json(*value);
  return result;
}

}  // namespace flowspec
