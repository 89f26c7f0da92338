#pragma once
/// One connection of the server. For the files of this room.

#include <memory>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include "runtime/http/reply_queue.hpp"
#include "runtime/http/request_reader.hpp"
#include "runtime/http/server_core.hpp"
#include "runtime/http/stream.hpp"

namespace flowspec {

/// Reads requests, passes them on one at a time, and sends the answers. Everything happens on the
/// strand of the socket, except what is said to be thread-safe. It reads on while an answer is on its
/// way: that is how the end of a client is noticed. What it reads then waits, up to a limit.
class HttpConnection final : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(HttpCore& core, Tcp::socket socket, std::string peer);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// Thread-safe, once: begins to read requests.
  void start();
  /// In place of it: says that there are too many connections, and ends.
  void turn_away();
  /// Thread-safe: ends at once if there is no answer under way, otherwise after it.
  void end_soon();
  /// Thread-safe: ends at once.
  void cut();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Phase {
    handshake,
    head,
    body,
    answering,
    /// The last bytes are being sent.
    closing,
    /// They are; the client should close now. What it still sends is thrown away: closing earlier
    /// could destroy the answer before it is read.
    lingering,
    closed,
  };

  /// Keeps no pointer to it: the last one must not go where a lock is held.
  static void post(std::shared_ptr<HttpConnection> self, void (HttpConnection::*what)());
  void begin();
  void begin_request(std::chrono::milliseconds patience);
  void tell_busy();
  void finish_soon();

  // Reading.
  void read();
  void have_read(const SystemError& error, std::size_t bytes);
  void client_ended(bool is_reset);
  void process();
  /// Whether the head is allowed; if not, it is answered.
  bool admit();
  bool count_body();
  void dispatch();
  void fail(const HttpProblem& problem);
  void refuse(const HttpAnswer& answer);
  /// While there is no room to read more: the end of the client is asked for.
  void watch_for_end();

  // Writing.
  void flush();
  void have_written(const SystemError& error, std::size_t bytes);
  void end_answer();
  void linger();
  void close();

  void set_limit(std::chrono::milliseconds limit);
  void limit_is_over();

  HttpCore& core_;
  HttpStream stream_;
  asio::steady_timer timer_;
  asio::steady_timer write_timer_;
  Clock::time_point limit_;
  Clock::time_point write_limit_;
  std::string peer_;
  Phase phase_ = Phase::handshake;

  /// Bytes from `begin_` to `end_` are read and not used yet; a read under way puts more behind them.
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool is_reading_ = false;
  bool client_has_ended_ = false;
  bool is_stopping_ = false;

  std::unique_ptr<RequestReader> reader_;
  bool has_head_begun_ = false;
  bool is_admitted_ = false;
  std::size_t counted_body_ = 0;
  HttpFields cors_;

  std::shared_ptr<ReplyQueue> reply_;
  /// What the connection itself says; goes before the reply.
  std::string own_;
  std::string out_;
  std::size_t out_sent_ = 0;
  bool is_out_of_reply_ = false;
  bool is_writing_ = false;
};

}  // namespace flowspec
