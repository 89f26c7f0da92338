#include "runtime/membership/join_messages.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/membership/invitation.hpp"

namespace flowspec {

namespace {

using Json = nlohmann::json;

constexpr int version = 1;
constexpr std::size_t secret_bytes = 16;
constexpr std::size_t most_name = 63;

Json parse(const std::string& line, const char* what) {
  auto json = Json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("flowspec") || json["flowspec"] != version)
    throw RuntimeError(
        ErrorCode::protocol,
        fmt::format(
            "this is no {} of this version of flowspec: it has to be the same on both sides",
            what));
  return json;
}

std::string text(const Json& json, const char* key) {
  if (!json.contains(key) || !json[key].is_string())
    throw RuntimeError(ErrorCode::protocol, fmt::format("\"{}\" is missing", key));
  return json[key].get<std::string>();
}

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

std::string encode(const JoinRequest& request) {
  return line_of({{"flowspec", version},
                  {"secret", base64url(request.secret)},
                  {"name", request.name},
                  {"request", request.request}});
}

std::string encode(const JoinAnswer& answer) {
  if (!answer.refusal.empty())
    return line_of({{"flowspec", version}, {"refusal", answer.refusal}});
  return line_of({{"flowspec", version},
                  {"certificate", answer.certificate},
                  {"authority", answer.authority},
                  {"revocation_list", answer.revocation_list}});
}

JoinRequest parse_join_request(const std::string& line) {
  auto json = parse(line, "request to join");
  JoinRequest request{from_base64url(text(json, "secret"), secret_bytes), text(json, "name"),
                      text(json, "request")};
  return request;
}

JoinAnswer parse_join_answer(const std::string& line) {
  auto json = parse(line, "answer to a request to join");
  JoinAnswer answer;
  if (json.contains("refusal")) {
    answer.refusal = one_line(text(json, "refusal"));
    if (answer.refusal.empty())
      answer.refusal = "no reason is given";
    return answer;
  }
  answer.certificate = text(json, "certificate");
  answer.authority = text(json, "authority");
  answer.revocation_list = text(json, "revocation_list");
  return answer;
}

void check_member_name(const std::string& name) {
  bool is_good = !name.empty() && name.size() <= most_name && is_word(name.front()) &&
                 std::ranges::all_of(
                     name, [](char c) { return is_word(c) || c == '.' || c == '-' || c == '_'; });
  if (!is_good)
    throw RuntimeError(
        fmt::format("\"{}\" is no name of a member: it has 1 to {} letters, digits, '.', '-' and "
                    "'_', and begins "
                    "with a letter or digit. Give --name",
                    one_line(name.substr(0, 2 * most_name)), most_name));
}

}  // namespace flowspec
