#pragma once
/// What the connections of a server share.

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "runtime/http/http_server.hpp"
#include "runtime/http/request_rules.hpp"
#include "runtime/http/stream.hpp"

namespace flowspec {

class HttpConnection;

/// Who is connected: how many in all, and of each address. Thread-safe.
class HttpConnections {
 public:
  enum class Verdict {
    taken,
    /// To be told so.
    refused,
    /// To be closed.
    dropped,
  };

  /// `most` in all, `most_of_one` of one address (0: no limit of its own).
  HttpConnections(std::size_t most, std::size_t most_of_one)
      : most_(most), most_of_one_(most_of_one) {}

  /// Takes the connection in, or not. `address` is what counts as one address.
  Verdict enter(const std::shared_ptr<HttpConnection>& connection, const std::string& address);
  void leave(HttpConnection* connection);
  std::size_t size() const;
  /// No more from now on.
  void stop();
  std::vector<std::shared_ptr<HttpConnection>> all() const;
  /// Waits until none is left. False: not within `limit`.
  bool wait_for_none(std::chrono::milliseconds limit);
  void wait_for_none();

 private:
  struct Entry {
    std::weak_ptr<HttpConnection> connection;
    std::string address;
    bool is_refused = false;
  };

  std::size_t most_;
  std::size_t most_of_one_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<HttpConnection*, Entry> entries_;
  std::map<std::string, std::size_t> of_address_;
  /// Of the entries, those that are only told to go.
  std::size_t refused_ = 0;
  bool is_stopping_ = false;
};

struct HttpCoreCounters {
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> connections_refused{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> requests_refused{0};
  std::atomic<std::uint64_t> clients_gone{0};
  std::atomic<std::uint64_t> bytes_received{0};
  std::atomic<std::uint64_t> bytes_sent{0};
};

struct HttpCore {
  HttpCore(HttpConfig given, HttpHandler handles, HttpAdmission admits, std::size_t most)
      : config(std::move(given)),
        handler(std::move(handles)),
        admission(std::move(admits)),
        rules{false, config.allowed_hosts, config.allowed_origins},
        connections(most, config.limits.connections_per_address),
        io(config.threads) {}

  HttpConfig config;
  HttpHandler handler;
  HttpAdmission admission;
  HttpRules rules;
  std::optional<asio::ssl::context> tls;
  HttpConnections connections;
  HttpCoreCounters counters;
  /// Bytes of bodies that are being received.
  std::atomic<std::size_t> bodies{0};
  asio::io_context io;
};

}  // namespace flowspec
