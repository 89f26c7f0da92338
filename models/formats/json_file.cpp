#include "models/formats/json_file.hpp"

#include <string_view>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/file_mapping.hpp"
#include "models/formats/text_file.hpp"

namespace flowspec {

using nlohmann::json;

namespace {

/// The parser's message, without its own name for the error: "parse error at line 3, column 9:
/// ...".
std::string reason_of(const json::exception& error) {
  const std::string_view text = error.what();
  const std::size_t end = text.find("] ");
  std::string reason = printable(text.substr(end == text.npos ? 0 : end + 2), 200);
  if (reason.find("invalid literal") != reason.npos || reason.find("'-I'") != reason.npos)
    reason += " (JSON has no NaN and no Infinity)";
  return reason;
}

}  // namespace

json read_json_object(const std::filesystem::path& path, std::size_t most_bytes,
                      const std::string& advice) {
  constexpr int max_depth = 16;
  const auto fail = [&](const std::string& what) {
    throw ModelError(path.string() + ": " + what + ". " + advice);
  };
  const FileMapping mapping(path);
  check_file_size(path, mapping.bytes().size(), most_bytes, advice);
  const auto check = [&](int depth, json::parse_event_t event, json& /*value*/) {
    const bool is_start =
        event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (is_start && depth >= max_depth)
      fail("is nested more than " + std::to_string(max_depth) + " deep");
    return true;
  };
  const auto* text = reinterpret_cast<const char*>(mapping.bytes().data());
  json root;
  try {
    root = json::parse(text, text + mapping.bytes().size(), check);
  } catch (const json::exception& error) {
    mapping.check_unchanged();
    fail("is not a JSON object: " + reason_of(error));
  }
  mapping.check_unchanged();
  if (!root.is_object())
    fail("is not a JSON object");
  return root;
}

}  // namespace flowspec
