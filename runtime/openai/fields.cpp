#include "runtime/openai/fields.hpp"

#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "models/tokenizer/utf8.hpp"
#include "runtime/openai/api_error.hpp"

namespace flowspec::openai {
namespace {

/// Looks at brackets and commas alone, before anything is built: the parser judges the rest.
void check_shape(std::string_view body) {
  struct Level {
    bool is_object = false;
    std::size_t commas = 0;
  };
  std::vector<Level> levels;
  std::size_t steps = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < body.size(); ++i) {
    char c = body[i];
    if (in_text) {
      if (c == '\\')
        ++i;
      in_text = c != '"';
    } else if (c == '"') {
      in_text = true;
    } else if (c == '{' || c == '[') {
      levels.push_back({c == '{'});
      if (levels.size() > most_levels)
        throw invalid_request(fmt::format(
            "The body is nested deeper than the {} levels that are allowed.", most_levels));
    } else if ((c == '}' || c == ']') && !levels.empty()) {
      levels.pop_back();
    } else if (c == ',' && !levels.empty() && levels.back().is_object) {
      steps += ++levels.back().commas;
      if (levels.back().commas >= most_fields)
        throw invalid_request(fmt::format(
            "An object in the body has more than the {} fields that are allowed.", most_fields));
      if (steps > most_steps)
        throw invalid_request("Too many objects in the body have too many fields.");
    }
  }
}

/// What is wrong and where, without the parser's own name and the text that it has read.
std::string complaint(std::string text) {
  text = text.substr(0, text.find("; last read"));
  auto name_end = text.find("] ");
  return name_end == std::string::npos ? text : text.substr(name_end + 2);
}

std::string words_of(const NumberRange& range) {
  return range.above_low
             ? fmt::format("a number greater than {} and at most {}", range.low, range.high)
             : fmt::format("a number from {} to {}", range.low, range.high);
}

}  // namespace

Json parse_body(std::string_view body) {
  if (!is_utf8(body))
    throw invalid_request("The body is not valid UTF-8. Send JSON in UTF-8.");
  check_shape(body);
  Json json;
  try {
    json = Json::parse(body);
  } catch (const Json::exception& e) {
    throw invalid_request("The body is not valid JSON: " + complaint(e.what()) + ".");
  }
  if (!json.is_object())
    throw invalid_request("The body is " + what_is(json) + "; it has to be a JSON object.");
  return json;
}

std::string what_is(const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return value.empty() ? "an empty list" : "a list";
    case Json::value_t::string:
      return value.get_ref<const std::string&>().empty() ? "an empty text" : "a text";
    default:
      return dump(value);
  }
}

Fields::Fields(const Json& value, std::string where) : object_(value), where_(std::move(where)) {
  if (!value.is_object())
    refuse_value(where_, value, "an object");
}

const Json* Fields::find(const char* key) const {
  auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::string Fields::path(const char* key) const {
  return where_.empty() ? key : where_ + "." + key;
}

std::optional<bool> Fields::boolean(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr)
    return std::nullopt;
  if (!value->is_boolean())
    refuse(key, "true or false");
  return value->get<bool>();
}

std::optional<std::string> Fields::text(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr)
    return std::nullopt;
  if (!value->is_string())
    refuse(key, "a text");
  return value->get<std::string>();
}

std::optional<double> Fields::number(const char* key, const NumberRange& range) const {
  const Json* value = find(key);
  if (value == nullptr)
    return std::nullopt;
  if (!value->is_number())
    refuse(key, words_of(range));
  auto number = value->get<double>();
  if (!(number >= range.low && number <= range.high) || (range.above_low && number == range.low))
    refuse(key, words_of(range));
  return number;
}

std::optional<std::int64_t> Fields::integer(const char* key, std::int64_t low,
                                            std::int64_t high) const {
  const Json* value = find(key);
  if (value == nullptr)
    return std::nullopt;
  auto number = whole_number(*value, low, high);
  if (!number)
    refuse(key, fmt::format("a whole number from {} to {}", low, high));
  return number;
}

std::string Fields::list_text(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr)
    return {};
  if (!value->is_array())
    refuse(key, "a list");
  return dump(*value);
}

std::string Fields::object_text(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr)
    return {};
  if (!value->is_object())
    refuse(key, "an object");
  return dump(*value);
}

void Fields::refuse(const char* key, const std::string& allowed) const {
  refuse_value(path(key), object_.at(key), allowed);
}

void refuse_value(const std::string& path, const Json& value, const std::string& allowed) {
  throw invalid_request(fmt::format("'{}' is {}; it has to be {}.", path, what_is(value), allowed),
                        path);
}

std::optional<std::int64_t> whole_number(const Json& value, std::int64_t low, std::int64_t high) {
  std::optional<std::int64_t> number;
  if (value.is_number_unsigned()) {
    auto unsigned_number = value.get<std::uint64_t>();
    if (unsigned_number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      number = static_cast<std::int64_t>(unsigned_number);
  } else if (value.is_number_integer()) {
    number = value.get<std::int64_t>();
  } else if (value.is_number_float()) {
    // Beyond 2^53 neighbouring whole numbers can't be told apart.
    auto real = value.get<double>();
    if (std::abs(real) <= 9007199254740992.0 && real == std::trunc(real))
      number = static_cast<std::int64_t>(real);
  }
  return number && *number >= low && *number <= high ? number : std::nullopt;
}

}  // namespace flowspec::openai
