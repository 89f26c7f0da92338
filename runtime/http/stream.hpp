#pragma once
/// A socket with or without TLS, for the files of this room.

#include <functional>
#include <optional>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>

namespace flowspec {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using SystemError = boost::system::error_code;

/// Its handlers run on the executor of the socket.
class HttpStream {
 public:
  using Moved = std::function<void(const SystemError&, std::size_t)>;
  using Done = std::function<void(const SystemError&)>;

  /// Without `tls`: plain.
  HttpStream(Tcp::socket socket, asio::ssl::context* tls) : socket_(std::move(socket)) {
    if (tls != nullptr)
      tls_.emplace(socket_, *tls);
  }
  HttpStream(const HttpStream&) = delete;
  HttpStream& operator=(const HttpStream&) = delete;

  bool has_tls() const { return tls_.has_value(); }
  Tcp::socket& socket() { return socket_; }

  void read_some(asio::mutable_buffer buffer, Moved handler) {
    if (tls_)
      tls_->async_read_some(buffer, std::move(handler));
    else
      socket_.async_read_some(buffer, std::move(handler));
  }
  void write_some(asio::const_buffer buffer, Moved handler) {
    if (tls_)
      tls_->async_write_some(buffer, std::move(handler));
    else
      socket_.async_write_some(buffer, std::move(handler));
  }
  /// Only with TLS.
  void handshake(Done handler) {
    tls_->async_handshake(asio::ssl::stream_base::server, std::move(handler));
  }
  void say_end(Done handler) { tls_->async_shutdown(std::move(handler)); }

 private:
  Tcp::socket socket_;
  std::optional<asio::ssl::stream<Tcp::socket&>> tls_;
};

}  // namespace flowspec
