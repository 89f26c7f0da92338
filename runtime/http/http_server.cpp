#include "runtime/http/http_server.hpp"

#include <algorithm>
#include <deque>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>

#include "runtime/console/error.hpp"
#include "runtime/http/connection.hpp"
#include "runtime/http/descriptors.hpp"
#include "runtime/http/server_core.hpp"

namespace flowspec {

namespace {

/// When there are no descriptors or no memory for one more connection.
constexpr std::chrono::milliseconds accept_pause{100};
/// What the system keeps of an answer, beside the queue.
constexpr int send_buffer_bytes = 128 << 10;

/// What counts as one client: whoever has an IPv6 network has all its addresses.
std::string address_group(const asio::ip::address& address) {
  if (!address.is_v6())
    return address.to_string();
  auto v6 = address.to_v6();
  if (v6.is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_string();
  auto bytes = v6.to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), 0);
  return v6.is_loopback() ? v6.to_string() : asio::ip::address_v6(bytes).to_string();
}

/// Ends that nobody announces are found by the system, in about a minute.
void set_options(Tcp::socket& socket) {
  SystemError ignored;
  socket.set_option(Tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(asio::socket_base::send_buffer_size(send_buffer_bytes), ignored);
  int seconds = 20;
  int count = 3;
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

asio::ssl::context make_tls(const HttpConfig& config) {
  asio::ssl::context tls(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(tls.native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SystemError error;
  tls.use_certificate_chain_file(config.tls_certificate, error);
  if (error)
    throw RuntimeError("cannot use the certificate " + config.tls_certificate + ": " +
                       error.message());
  tls.use_private_key_file(config.tls_key, asio::ssl::context::pem, error);
  if (error)
    throw RuntimeError("cannot use the key " + config.tls_key + ": " + error.message());
  if (SSL_CTX_check_private_key(tls.native_handle()) != 1) {
    ERR_clear_error();
    throw RuntimeError("the key " + config.tls_key + " does not belong to the certificate " +
                       config.tls_certificate);
  }
  return tls;
}

std::string text_of(const HttpAddress& address) {
  bool is_v6 = address.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace

/// Accepts connections at one address.
class HttpAcceptor : public std::enable_shared_from_this<HttpAcceptor> {
 public:
  HttpAcceptor(HttpCore& core, const Tcp::endpoint& endpoint)
      : core_(core),
        acceptor_(asio::any_io_executor(asio::make_strand(core.io))),
        pause_(acceptor_.get_executor()) {
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(Tcp::acceptor::reuse_address(true));
    if (endpoint.address().is_v6())
      acceptor_.set_option(asio::ip::v6_only(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  void start() {
    asio::post(
        acceptor_.get_executor(), [self = shared_from_this()] { self->accept(); });
  }

  void stop() {
    asio::post(
        acceptor_.get_executor(),
        [self = shared_from_this()] {
          SystemError ignored;
          self->acceptor_.close(ignored);
          self->pause_.cancel();
        });
  }

 private:
  void accept() {
    if (!acceptor_.is_open())
      return;
    acceptor_.async_accept(
        asio::any_io_executor(asio::make_strand(core_.io)),
        [self = shared_from_this()](const SystemError& error, Tcp::socket socket) {
          if (!error)
            self->take(std::move(socket));
          else if (error != asio::error::connection_aborted)
            return self->pause();
          self->accept();
        });
  }

  void pause() {
    if (!acceptor_.is_open())
      return;
    pause_.expires_after(accept_pause);
    pause_.async_wait([self = shared_from_this()](const SystemError&) { self->accept(); });
  }

  void take(Tcp::socket socket) {
    SystemError gone;
    auto peer = socket.remote_endpoint(gone).address();
    if (gone)
      return;
    set_options(socket);
    auto connection = std::make_shared<HttpConnection>(core_, std::move(socket), peer.to_string());
    switch (core_.connections.enter(connection, address_group(peer))) {
      case HttpConnections::Verdict::taken:
        ++core_.counters.connections;
        return connection->start();
      case HttpConnections::Verdict::refused:
        ++core_.counters.connections_refused;
        return connection->turn_away();
      case HttpConnections::Verdict::dropped:
        ++core_.counters.connections_refused;
    }
  }

  HttpCore& core_;
  Tcp::acceptor acceptor_;
  asio::steady_timer pause_;
};

class HttpServer::Impl {
 public:
  Impl(HttpConfig config, HttpHandler handler, HttpAdmission admission)
      : core_(config, std::move(handler), std::move(admission),
              room_for_connections(config.limits.connections)) {
    if (!core_.config.tls_certificate.empty() || !core_.config.tls_key.empty())
      core_.tls.emplace(make_tls(core_.config));
    core_.rules.is_local = true;
    for (const auto& address : core_.config.addresses)
      listen(address);
    if (acceptors_.empty())
      throw RuntimeError("there is no address to listen on");
    for (const auto& acceptor : acceptors_)
      acceptor->start();
    for (int i = 0; i < std::max(core_.config.threads, 1); ++i)
      threads_.emplace_back([this] { work(); });
  }

  ~Impl() { stop({}); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::uint16_t port() const { return port_; }
  bool is_local() const { return core_.rules.is_local; }

  void stop(std::chrono::milliseconds grace) {
    if (std::exchange(is_stopped_, true))
      return;
    core_.connections.stop();
    for (const auto& acceptor : acceptors_)
      acceptor->stop();
    for (const auto& connection : core_.connections.all())
      connection->end_soon();
    if (!core_.connections.wait_for_none(grace)) {
      for (const auto& connection : core_.connections.all())
        connection->cut();
      core_.connections.wait_for_none();
    }
    work_.reset();
    for (auto& thread : threads_)
      thread.join();
  }

  HttpCounters counters() const {
    const auto& from = core_.counters;
    return {core_.connections.size(), from.connections,  from.connections_refused, from.requests,
            from.requests_refused,    from.clients_gone, from.bytes_received,      from.bytes_sent};
  }

 private:
  void listen(const HttpAddress& address) {
    try {
      Tcp::resolver resolver(core_.io);
      auto found = resolver.resolve(address.host, std::to_string(address.port),
                                    Tcp::resolver::passive | Tcp::resolver::numeric_service);
      std::uint16_t port = address.port;
      for (const auto& entry : found) {
        auto endpoint = entry.endpoint();
        // All addresses of a name get the same free port.
        endpoint.port(port);
        acceptors_.push_back(std::make_shared<HttpAcceptor>(core_, endpoint));
        port = acceptors_.back()->port();
        auto v4_or_v6 = endpoint.address();
        core_.rules.is_local = core_.rules.is_local && v4_or_v6.is_loopback();
      }
    } catch (const boost::system::system_error& e) {
      throw RuntimeError("cannot listen on " + text_of(address) + ": " + e.code().message());
    }
    if (port_ == 0 && !acceptors_.empty())
      port_ = acceptors_.front()->port();
  }

  void work() {
    ::pthread_setname_np(::pthread_self(), "http");
    for (;;) {
      try {
        core_.io.run();
        return;
      } catch (const std::exception&) {
        // Out of memory for one connection, which is closed by that; the others go on.
      }
    }
  }

  HttpCore core_;
  std::deque<std::shared_ptr<HttpAcceptor>> acceptors_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{core_.io.get_executor()};
  std::vector<std::thread> threads_;
  std::uint16_t port_ = 0;
  bool is_stopped_ = false;
};

HttpServer::HttpServer(HttpConfig config, HttpHandler handler, HttpAdmission admission)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(handler), std::move(admission))) {}

HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port() const {
  return impl_->port();
}

bool HttpServer::is_local() const {
  return impl_->is_local();
}

void HttpServer::stop(std::chrono::milliseconds grace) {
  impl_->stop(grace);
}

HttpCounters HttpServer::counters() const {
  return impl_->counters();
}

}  // namespace flowspec
