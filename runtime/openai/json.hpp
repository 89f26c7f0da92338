#pragma once
/// Internal to runtime/openai: the header drags the JSON library in.

#include <string>

#include <nlohmann/json.hpp>

namespace flowspec::openai {

/// Keeps the order of fields: that of OpenAI in answers, and the client's own in what templates get.
using Json = nlohmann::ordered_json;

/// In one line; what is not UTF-8 becomes U+FFFD.
inline std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace flowspec::openai
