#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "runtime/http/http_request.hpp"

namespace flowspec {

/// The answer to one request: either one `respond`, or `begin_stream`, any number of `write`, and
/// `finish`. May be given later, and from any thread. Whoever drops the last pointer to it without an
/// end breaks the connection off (before the first byte: status 500), so that the client does not
/// take a part for the whole.
class HttpReply {
 public:
  virtual ~HttpReply() = default;

  /// The whole answer, of any length. Does nothing if an answer has begun. Fields and content type
  /// must not contain control characters (those that do are left out). A client that asked with HEAD
  /// gets no body.
  virtual void respond(int status, std::string_view content_type, std::string body,
                       const HttpFields& fields = {}) = 0;

  /// Begins an answer with status 200 whose end is not known yet.
  virtual void begin_stream(std::string_view content_type, const HttpFields& fields = {}) = 0;
  /// Some bytes of it. False: they were not taken, because what waits for this client is as much as
  /// is kept for one, or because the client has gone. An empty queue takes a chunk of any length.
  virtual bool write(std::string_view chunk) = 0;
  /// The end of the stream.
  virtual void finish() = 0;

  /// `callback` is called once if the client goes away before the answer is complete, also while
  /// nothing is written; at once if it has gone. On a thread of the server: it has to be quick, and
  /// must not throw.
  virtual void on_gone(std::function<void()> callback) = 0;
  /// `callback` is called each time when there is room again after `write` has said no. Likewise.
  virtual void on_drain(std::function<void()> callback) = 0;
  /// Whether the client has gone. (One that closes only its own side of the connection has gone, too.)
  virtual bool gone() const = 0;
};

}  // namespace flowspec
