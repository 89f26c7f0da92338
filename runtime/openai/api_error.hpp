#pragma once
/// # The OpenAI API as plain functions
///
/// Texts in, texts out: no sockets, no actors. `requests` turns the body of a request into a checked
/// struct, or throws the `ApiError` that the client gets; `answers` and `answer_stream` write what comes
/// back, at once or in pieces; `bodies` has the small endpoints; `metrics` counts what happens, for
/// Prometheus. Whoever serves checks a request completely before the first byte of an answer: until then
/// an error is a status with `error_body`, afterwards it is an `error_event` within the stream.

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "messages/error_code.hpp"

namespace flowspec::openai {

/// An error as clients of OpenAI's API expect it. `what` is the message.
struct ApiError : std::runtime_error {
  ApiError(int its_status, std::string its_type, const std::string& message,
           std::optional<std::string> its_param = {}, std::optional<std::string> its_code = {})
      : std::runtime_error(message),
        status(its_status),
        type(std::move(its_type)),
        param(std::move(its_param)),
        code(std::move(its_code)) {}

  /// Of HTTP.
  int status;
  /// "invalid_request_error", "server_error", ...
  std::string type;
  /// The field of the request that is wrong, as "messages[0].role".
  std::optional<std::string> param;
  /// What programs look at: "context_length_exceeded", ...
  std::optional<std::string> code;
  /// For the header Retry-After, in seconds: the same request may succeed then.
  std::optional<int> retry_after_s;
};

/// {"error":{"message":...,"type":...,"param":...,"code":...}}
std::string error_body(const ApiError& error);

/// 400: a field is wrong.
ApiError invalid_request(const std::string& message, std::optional<std::string> param = {},
                         std::optional<std::string> code = {});

/// How many tokens a request wants, and how many there may be.
struct ContextNeed {
  std::uint64_t limit = 0;
  std::uint64_t prompt = 0;
  /// The most that the answer may have; 0: not said.
  std::uint64_t answer = 0;
};
/// 400, `context_length_exceeded`. Agents shorten their conversation when they see the code, some when
/// they see the words "maximum context length is".
/// @param field  that is too long: "messages" or "prompt".
ApiError context_length_exceeded(const ContextNeed& need, const std::string& field);

/// 401.
ApiError invalid_api_key();
/// 404: there is no such path.
ApiError not_found(std::string_view method, std::string_view path);
/// 404.
ApiError model_not_found(std::string_view model);
/// 405.
/// @param allowed  as in the header Allow: "GET, HEAD".
ApiError method_not_allowed(std::string_view method, std::string_view path,
                            std::string_view allowed);
/// 413.
ApiError too_large(std::uint64_t limit_bytes);
/// 429: `limit` requests wait already.
ApiError queue_full(std::uint64_t limit);
/// 503: the model is being loaded.
ApiError not_ready(const std::string& what = "The model is being loaded.");
/// 503: a node has gone, and nothing could take its place.
ApiError node_lost(const std::string& what);
/// 500.
ApiError internal_error(const std::string& what);

/// What a client is told of an error of the system; its status is `http_status`'.
ApiError api_error(ErrorCode code, const std::string& text);

}  // namespace flowspec::openai
