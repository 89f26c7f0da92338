#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "runtime/http/http_config.hpp"
#include "runtime/http/http_reply.hpp"
#include "runtime/http/http_request.hpp"

namespace flowspec {

/// Gets every request, on a thread of the server: it has to be quick, since other connections wait
/// for it. An exception becomes status 500.
using HttpHandler = std::function<void(HttpRequest, std::shared_ptr<HttpReply>)>;
/// Looks at a request before its body is read. An answer refuses it.
using HttpAdmission = std::function<std::optional<HttpAnswer>(const HttpRequest&)>;

/// A server of HTTP/1.1 (and 1.0). Requests of a connection are answered in their order, one at a
/// time. Nothing that clients do costs more than the limits of the configuration.
class HttpServer {
 public:
  /// Listens, and answers from now on. Throws RuntimeError if an address cannot be listened on, or
  /// for unusable certificates.
  HttpServer(HttpConfig config, HttpHandler handler, HttpAdmission admission = {});
  /// As stop().
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Of the first address.
  std::uint16_t port() const;
  /// Whether it listens on loopback addresses alone.
  bool is_local() const;
  /// Takes no more connections and requests, gives answers that have begun this much time to end, and
  /// closes the others. When it returns, no callback runs any more. Not to be called from a callback.
  void stop(std::chrono::milliseconds grace = {});
  HttpCounters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flowspec
