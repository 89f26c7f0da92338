#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/http/http_config.hpp"
#include "runtime/http/http_request.hpp"

namespace flowspec {

/// What is wrong with a request. `text` is for the client; it has no quotes or control characters.
struct HttpProblem {
  int status = 400;
  std::string text;
};

/// Reads one request from bytes as they come (RFC 9112). Knows no sockets.
class RequestReader {
 public:
  enum class State {
    head,
    /// The head is complete.
    body,
    done,
    failed,
  };

  explicit RequestReader(const HttpLimits& limits);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  /// Reads as much as it can up to the end of the head, or from there to the end of the request, and
  /// returns how many bytes it has used. The others have to be given again, with more. Uses none once
  /// it is done or failed.
  std::size_t feed(std::string_view bytes);

  State state() const;
  /// Why it failed.
  const HttpProblem& problem() const;
  /// Complete in `done`; in `body` without its body. Its target is not split yet: `path` has all.
  HttpRequest& request();
  /// Of a complete head.
  bool is_http_1_0() const;
  bool keeps_alive() const;
  /// Whether the body is still to come, and the client waits to be told that it is welcome.
  bool expects_continue() const;
  /// The body so far, in bytes.
  std::size_t body_bytes() const;

 private:
  class Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace flowspec
