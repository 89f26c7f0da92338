#include "runtime/openai/api_error.hpp"

#include <utility>

#include <fmt/format.h>

#include "runtime/console/error.hpp"
#include "runtime/openai/json.hpp"

namespace flowspec::openai {
namespace {

constexpr const char* bad_input = "invalid_request_error";
constexpr const char* server_fault = "server_error";

ApiError unavailable(const std::string& message, const char* code) {
  ApiError error(503, server_fault, message, {}, code);
  error.retry_after_s = 5;
  return error;
}

Json or_null(const std::optional<std::string>& text) {
  return text ? Json(*text) : Json();
}

}  // namespace

std::string error_body(const ApiError& error) {
  return dump({{"error",
                {{"message", error.what()},
                 {"type", error.type},
                 {"param", or_null(error.param)},
                 {"code", or_null(error.code)}}}});
}

ApiError invalid_request(const std::string& message, std::optional<std::string> param,
                         std::optional<std::string> code) {
  return {400, bad_input, message, std::move(param), std::move(code)};
}

ApiError context_length_exceeded(const ContextNeed& need, const std::string& field) {
  auto parts = need.answer == 0
                   ? fmt::format("your {} resulted in {} tokens", field, need.prompt)
                   : fmt::format("you requested {} tokens ({} in the {}, {} in the completion)",
                                 need.prompt + need.answer, need.prompt, field, need.answer);
  return invalid_request(
      fmt::format("This model's maximum context length is {} tokens. However, {}. Please reduce "
                  "the length of the {}{}.",
                  need.limit, parts, field, need.answer == 0 ? "" : " or completion"),
      field, "context_length_exceeded");
}

ApiError invalid_api_key() {
  return {401,
          bad_input,
          "The API key is missing or wrong. Send the server's key in the header \"Authorization: "
          "Bearer KEY\".",
          {},
          "invalid_api_key"};
}

ApiError not_found(std::string_view method, std::string_view path) {
  return {404, bad_input, fmt::format("There is nothing at {} {}.", method, path), {}, "not_found"};
}

ApiError model_not_found(std::string_view model) {
  return {404, bad_input,
          fmt::format("The model `{}` does not exist here. GET /v1/models lists what is served.",
                      model),
          "model", "model_not_found"};
}

ApiError method_not_allowed(std::string_view method, std::string_view path,
                            std::string_view allowed) {
  return {405,
          bad_input,
          fmt::format("{} is not allowed for {}: use {}.", method, path, allowed),
          {},
          "method_not_allowed"};
}

ApiError too_large(std::uint64_t limit_bytes) {
  return {413,
          bad_input,
          fmt::format("The body of the request is larger than {} bytes.", limit_bytes),
          {},
          "request_too_large"};
}

ApiError queue_full(std::uint64_t limit) {
  ApiError error(429, "rate_limit_error",
                 fmt::format("{} requests wait already. Try again later.", limit), {},
                 "queue_full");
  error.retry_after_s = 2;
  return error;
}

ApiError not_ready(const std::string& what) {
  return unavailable(what, "not_ready");
}

ApiError node_lost(const std::string& what) {
  return unavailable(what, "node_lost");
}

ApiError internal_error(const std::string& what) {
  return {500, server_fault, what, {}, "internal_error"};
}

ApiError api_error(ErrorCode code, const std::string& text) {
  switch (code) {
    case ErrorCode::bad_request:
      return invalid_request(text);
    case ErrorCode::does_not_fit:
      return unavailable(text, "does_not_fit");
    case ErrorCode::node_lost:
      return node_lost(text);
    case ErrorCode::busy:
      return {http_status(code), "rate_limit_error", text, {}, "queue_full"};
    case ErrorCode::cancelled:
      return {http_status(code), bad_input, text, {}, "cancelled"};
    case ErrorCode::model:
    case ErrorCode::protocol:
    case ErrorCode::internal:
      break;
  }
  return internal_error(text);
}

}  // namespace flowspec::openai
