#pragma once
/// Internal to runtime/openai: reads JSON that a stranger has written.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/openai/json.hpp"

namespace flowspec::openai {

/// Levels of lists and objects in a body.
inline constexpr std::size_t most_levels = 64;
/// Fields of one object: to look for one takes a step for each.
inline constexpr std::size_t most_fields = 1024;
/// Steps of that kind to build a whole body: eight of the largest objects, and any number of small ones.
inline constexpr std::size_t most_steps = std::size_t{1} << 22;

/// Parses the body of a request, which has to be one object. Throws ApiError.
Json parse_body(std::string_view body);

/// What a value is, for messages: "3", "true", "a text", "a list", "an object".
std::string what_is(const Json& value);

/// The numbers that are allowed.
struct NumberRange {
  double low = 0;
  double high = 0;
  /// `low` itself is not allowed.
  bool above_low = false;
};

/// The fields of one object. A field that is null is treated as one that is missing. Every reader throws
/// ApiError, which names the field, what it is and what it may be.
class Fields {
 public:
  /// Throws ApiError if `value` is no object.
  /// @param where  its place in the body, as "messages[0]"; empty: the body itself.
  explicit Fields(const Json& value, std::string where = {});

  /// Null if the field is missing or null.
  const Json* find(const char* key) const;
  /// As the client knows the field: "messages[0].role".
  std::string path(const char* key) const;

  std::optional<bool> boolean(const char* key) const;
  std::optional<std::string> text(const char* key) const;
  std::optional<double> number(const char* key, const NumberRange& range) const;
  /// A number without a fraction, as 5 or 5.0.
  std::optional<std::int64_t> integer(const char* key, std::int64_t low, std::int64_t high) const;
  /// Lists and objects, as JSON text; empty if missing.
  std::string list_text(const char* key) const;
  std::string object_text(const char* key) const;

  /// "'temperature' is 3; it has to be a number from 0 to 2."
  [[noreturn]] void refuse(const char* key, const std::string& allowed) const;

 private:
  const Json& object_;
  std::string where_;
};

/// The same for an element of a list.
[[noreturn]] void refuse_value(const std::string& path, const Json& value,
                               const std::string& allowed);
/// A number without a fraction that lies between; nothing otherwise.
std::optional<std::int64_t> whole_number(const Json& value, std::int64_t low, std::int64_t high);

}  // namespace flowspec::openai
