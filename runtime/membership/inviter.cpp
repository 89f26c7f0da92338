#include "runtime/membership/inviter.hpp"

#include <algorithm>
#include <list>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include "runtime/console/error.hpp"
#include "runtime/console/one_line.hpp"
#include "runtime/membership/tls_stream.hpp"

namespace flowspec {

namespace {

using Steady = std::chrono::steady_clock;

/// At the same time; the oldest gives way.
constexpr std::size_t most_connections = 32;
/// Of refusals that are told: whoever floods the port shall not flood the terminal.
constexpr int most_lines = 20;
constexpr std::chrono::milliseconds accept_pause{100};

Tcp::endpoint endpoint_of(const HostAddress& address) {
  Tcp::endpoint endpoint;
  endpoint.resize(address.size);
  std::copy_n(reinterpret_cast<const char*>(address.get()), address.size,
              reinterpret_cast<char*>(endpoint.data()));
  return endpoint;
}

}  // namespace

class Inviter::Impl {
 public:
  Impl(const HostAddress& address, const Identity& owner, const std::string& authority,
       Invitation invitation, Events events)
      : invitation_(std::move(invitation)), events_(std::move(events)) {
    only_tls13(tls_);
    try {
      tls_.use_certificate_chain(asio::buffer(owner.certificate + authority));
      tls_.use_private_key(asio::buffer(owner.key), asio::ssl::context::pem);
      auto endpoint = endpoint_of(address);
      acceptor_.open(endpoint.protocol());
      acceptor_.set_option(Tcp::acceptor::reuse_address(true));
      acceptor_.bind(endpoint);
      acceptor_.listen();
    } catch (const boost::system::system_error& e) {
      throw RuntimeError(
          fmt::format("cannot listen on {}: {}", address.text(), e.code().message()));
    }
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  End serve() {
    lapse_.expires_at(invitation_.until());
    lapse_.async_wait([this](const SystemError& error) {
      if (!error)
        finish(End::lapsed);
    });
    accept();
    context_.run();
    return end_;
  }

  void stop() {
    asio::post(
        context_,
        [this] {
          finish(End::stopped);
          while (!connections_.empty())
            drop(connections_.front());
        });
  }

 private:
  struct Connection {
    Connection(asio::io_context& context, asio::ssl::context& tls, Tcp::socket socket,
               std::string peer)
        : stream(std::move(socket), tls), limit(context), from(std::move(peer)) {}
    TlsStream stream;
    asio::steady_timer limit;
    asio::streambuf received{most_request_bytes};
    std::string answer;
    std::string from;
  };
  using Shared = std::shared_ptr<Connection>;

  /// Takes no more connections; those that are open come to their end.
  void finish(End end) {
    if (std::exchange(is_finished_, true))
      return;
    end_ = end;
    SystemError ignored;
    acceptor_.close(ignored);
    lapse_.cancel();
    pause_.cancel();
  }

  void accept() {
    acceptor_.async_accept([this](const SystemError& error, Tcp::socket socket) {
      if (is_finished_)
        return;
      if (!error) {
        take(std::move(socket));
        return accept();
      }
      // Out of descriptors: the oldest makes room.
      if (!connections_.empty())
        drop(connections_.front());
      pause_.expires_after(accept_pause);
      pause_.async_wait([this](const SystemError& cancelled) {
        if (!cancelled && !is_finished_)
          accept();
      });
    });
  }

  void take(Tcp::socket socket) {
    SystemError gone;
    auto peer = socket.remote_endpoint(gone);
    if (gone)
      return;
    if (connections_.size() >= most_connections)
      drop(connections_.front());
    auto connection =
        std::make_shared<Connection>(context_, tls_, std::move(socket), peer.address().to_string());
    connections_.push_back(connection);
    connection->limit.expires_after(connection_limit);
    connection->limit.async_wait([this, connection](const SystemError& cancelled) {
      if (!cancelled)
        drop(connection);
    });
    connection->stream.async_handshake(
        TlsStream::server, [this, connection](const SystemError& error) {
          if (error)
            return drop(connection);
          asio::async_read_until(connection->stream, connection->received, '\n',
                                 [this, connection](const SystemError& failed, std::size_t size) {
                                   if (failed)
                                     return drop(connection);
                                   hear(connection, size);
                                 });
        });
  }

  void hear(const Shared& connection, std::size_t size) {
    std::string line(
        asio::buffers_begin(connection->received.data()),
        asio::buffers_begin(connection->received.data()) + static_cast<std::ptrdiff_t>(size));
    JoinAnswer answer;
    std::string name;
    try {
      auto request = parse_join_request(line);
      name = one_line(request.name.substr(0, 64));
      answer.refusal = invitation_.refusal(request.secret, Steady::now());
      if (answer.refusal.empty()) {
        answer = events_.admit(request);
        invitation_.use();
      }
    } catch (const std::exception& e) {
      answer = {};
      answer.refusal = e.what();
    }
    bool joined = answer.refusal.empty();
    if (!joined)
      tell(fmt::format("refused {} from {}: {}", name.empty() ? "somebody" : name, connection->from,
                       one_line(answer.refusal)));
    connection->answer = encode(answer);
    asio::async_write(connection->stream, asio::buffer(connection->answer),
                      [this, connection, name, joined](const SystemError& error, std::size_t) {
                        if (joined)
                          tell_joined(name, connection->from, !error);
                        say_farewell(connection);
                      });
    if (invitation_.is_used())
      finish(End::used);
    else if (invitation_.is_locked())
      finish(End::locked);
  }

  void tell_joined(const std::string& name, const std::string& from, bool is_sent) {
    if (is_sent)
      return events_.tell(fmt::format("{} has joined, from {}", name, from));
    events_.tell(fmt::format(
        "{} was admitted, but its connection was lost before it had its certificate. Say "
        "`flowspec cluster invite --renew {}` for it to try again",
        name, name));
  }

  void say_farewell(const Shared& connection) {
    connection->stream.async_shutdown([this, connection](const SystemError&) { drop(connection); });
  }

  /// By value: the list's own may go meanwhile.
  void drop(Shared connection) {
    std::erase(connections_, connection);
    connection->limit.cancel();
    SystemError ignored;
    connection->stream.lowest_layer().close(ignored);
  }

  void tell(const std::string& text) {
    if (++lines_ <= most_lines)
      events_.tell(text);
  }

  asio::io_context context_{1};
  asio::ssl::context tls_{asio::ssl::context::tls_server};
  Tcp::acceptor acceptor_{context_};
  asio::steady_timer lapse_{context_};
  asio::steady_timer pause_{context_};
  Invitation invitation_;
  Events events_;
  /// The oldest first.
  std::list<Shared> connections_;
  End end_ = End::stopped;
  bool is_finished_ = false;
  int lines_ = 0;
};

Inviter::Inviter(const HostAddress& address, const Identity& owner, const std::string& authority,
                 Invitation invitation, Events events)
    : impl_(std::make_unique<Impl>(address, owner, authority, std::move(invitation),
                                   std::move(events))) {}

Inviter::~Inviter() = default;

std::uint16_t Inviter::port() const {
  return impl_->port();
}

Inviter::End Inviter::serve() {
  return impl_->serve();
}

void Inviter::stop() {
  impl_->stop();
}

}  // namespace flowspec
