#include "runtime/http/response_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

namespace flowspec {

namespace {

/// RFC 9110: names are tokens, values have no control characters.
bool is_token(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(
             text,
             [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
             });
}

bool is_value(std::string_view text) {
  return std::ranges::none_of(
      text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

bool frames(std::string_view name) {
  constexpr std::array<std::string_view, 4> names{"Content-Length", "Transfer-Encoding",
                                                  "Connection", "Date"};
  return std::ranges::any_of(names, [name](auto one) { return same_field(one, name); });
}

std::string date_now() {
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  // Not strftime alone: its names depend on the locale.
  constexpr std::array<const char*, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::array<char, 64> rest{};
  std::strftime(rest.data(), rest.size(), "%Y %H:%M:%S GMT", &parts);
  std::string day = std::to_string(parts.tm_mday);
  return std::string(days.at(static_cast<std::size_t>(parts.tm_wday))) + ", " +
         (day.size() < 2 ? "0" : "") + day + " " +
         months.at(static_cast<std::size_t>(parts.tm_mon)) + " " + rest.data();
}

void add(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

std::string response_head(int status, std::string_view content_type, const HttpFields& fields,
                          const ResponseFraming& framing) {
  // Clients of HTTP/1.0 are told the highest version that they may use as well (RFC 9110, 6.2).
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head.append(reason_of(status)).append("\r\n");
  add(head, "Date", date_now());
  if (!content_type.empty() && is_value(content_type))
    add(head, "Content-Type", content_type);
  for (const auto& [name, value] : fields)
    if (is_token(name) && is_value(value) && !frames(name))
      add(head, name, value);
  bool has_body = status >= 200 && status != 204 && status != 304;
  if (has_body && framing.length)
    add(head, "Content-Length", std::to_string(*framing.length));
  else if (has_body && framing.is_chunked)
    add(head, "Transfer-Encoding", "chunked");
  if (!framing.keeps_alive)
    add(head, "Connection", "close");
  else if (framing.is_http_1_0)
    add(head, "Connection", "keep-alive");
  return head.append("\r\n");
}

std::string chunk_text(std::string_view bytes) {
  std::array<char, 16> digits{};
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), bytes.size(), 16).ptr;
  std::string text(digits.data(), end);
  return text.append("\r\n").append(bytes).append("\r\n");
}

std::string error_body(const HttpProblem& problem) {
  return R"({"error":{"message":")" + problem.text + R"(","type":")" +
         (problem.status < 500 ? "invalid_request_error" : "server_error") +
         R"(","param":null,"code":null}})";
}

}  // namespace flowspec
