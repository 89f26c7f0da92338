#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace flowspec {

struct HttpLimits {
  /// Of request line and fields together.
  std::size_t head_bytes = std::size_t{16} << 10;
  std::size_t fields = 100;
  std::size_t body_bytes = std::size_t{8} << 20;
  /// Of all bodies that are being received together. Beyond it: status 503.
  std::size_t bodies_bytes = std::size_t{256} << 20;
  /// Connections at once. The next ones get status 503. Fewer if the system allows fewer descriptors.
  std::size_t connections = 1024;
  /// Of one address (IPv6: of one /64). 0: as many as of all.
  std::size_t connections_per_address = 0;
  /// What waits for one client in a stream, besides what the system keeps.
  std::size_t queue_bytes = std::size_t{256} << 10;
};

struct HttpTimeouts {
  std::chrono::milliseconds handshake{5'000};
  /// From the first byte of a head to its last; for a new connection from its beginning.
  std::chrono::milliseconds head{10'000};
  /// For the whole body.
  std::chrono::milliseconds body{60'000};
  /// Between two requests.
  std::chrono::milliseconds idle{60'000};
  /// While bytes wait for a client that takes none.
  std::chrono::milliseconds write{30'000};
};

struct HttpAddress {
  /// A name or a numeric address.
  std::string host = "127.0.0.1";
  /// 0: any free one.
  std::uint16_t port = 0;
};

struct HttpConfig {
  std::vector<HttpAddress> addresses{HttpAddress{}};
  /// Files (PEM): the certificate with those between it and an authority, and its key. Both empty:
  /// no TLS.
  std::string tls_certificate;
  std::string tls_key;
  int threads = 2;
  HttpLimits limits;
  HttpTimeouts timeouts;
  /// A server that listens on loopback addresses alone answers only to names of this machine, or the
  /// page of a stranger could reach it by a name of its own (DNS rebinding). These names are let in
  /// as well; "*" lets all in.
  std::vector<std::string> allowed_hosts;
  /// Origins ("https://chat.example") whose pages may use the server, besides its own; "*": all.
  std::vector<std::string> allowed_origins;
};

struct HttpCounters {
  std::uint64_t connections_open = 0;
  std::uint64_t connections = 0;
  /// Turned away because there were too many.
  std::uint64_t connections_refused = 0;
  /// Passed on to the handler.
  std::uint64_t requests = 0;
  /// Answered by the server itself with an error: no HTTP, too long, too slow, ...
  std::uint64_t requests_refused = 0;
  /// Requests whose client went away before the answer was complete.
  std::uint64_t clients_gone = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
};

}  // namespace flowspec
