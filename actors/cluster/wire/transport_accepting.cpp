#include <algorithm>
#include <exception>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/wire/transport_impl.hpp"
#include "actors/cluster/wire/wire_error.hpp"

namespace flowspec {

namespace {

constexpr std::chrono::milliseconds accept_pause{100};
/// Lines of log about strangers in one span of time.
constexpr int most_stranger_lines = 10;
constexpr std::chrono::seconds stranger_span{10};

}  // namespace

std::uint16_t Transport::Impl::listen(const HostAddress& address, Accepted accepted) {
  auto listener = std::make_shared<Listener>(context_.get_executor(), std::move(accepted));
  auto endpoint = endpoint_of(address);
  error_code error;
  auto& acceptor = listener->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error)
    acceptor.set_option(Acceptor::reuse_address(true), error);
  if (!error)
    acceptor.bind(endpoint, error);
  if (!error)
    acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    throw WireError(text_of(error));
  auto port = acceptor.local_endpoint().port();
  asio::post(context_, [this, listener, port] {
    listeners_[port] = listener;
    accept(listener);
  });
  return port;
}

void Transport::Impl::stop_listening(std::uint16_t port) {
  asio::post(
      context_,
      [this, port] {
        auto found = listeners_.find(port);
        if (found == listeners_.end())
          return;
        error_code ignored;
        found->second->acceptor.close(ignored);
        found->second->pause.cancel(ignored);
        listeners_.erase(found);
      });
}

void Transport::Impl::accept(const std::shared_ptr<Listener>& listener) {
  auto endpoint = std::make_shared<tcp::endpoint>();
  auto socket = std::make_shared<Connection::Socket>(context_);
  listener->acceptor.async_accept(
      *socket, *endpoint, [this, listener, socket, endpoint](const error_code& error) {
        if (!listener->acceptor.is_open())
          return;
        if (!error) {
          try {
            take(listener, std::move(*socket), *endpoint);
          } catch (const std::exception& e) {
            spdlog::warn("cannot take a connection: {}", e.what());
          }
          return accept(listener);
        }
        // Out of descriptors: whoever has not greeted makes room.
        spdlog::warn("cannot accept a connection: {}", text_of(error));
        if (!half_open_.empty())
          half_open_.front().second->fail("descriptors are needed");
        listener->pause.expires_after(accept_pause);
        listener->pause.async_wait([this, listener](const error_code& cancelled) {
          if (!cancelled && listener->acceptor.is_open())
            accept(listener);
        });
      });
}

bool Transport::Impl::make_room(const std::string& host) {
  if (auto refusal = limits_.refusal(host)) {
    tell_stranger(fmt::format("refused a connection from {}: {}", host, *refusal));
    return false;
  }
  while (limits_.is_crowded(host) || limits_.is_crowded()) {
    bool of_host = limits_.is_crowded(host);
    auto oldest = std::ranges::find_if(
        half_open_, [&](const auto& entry) { return !of_host || entry.first == host; });
    if (oldest == half_open_.end())
      return false;
    auto connection = oldest->second;
    connection->fail("others that came later are waiting");
  }
  return true;
}

void Transport::Impl::take(const std::shared_ptr<Listener>& listener, Connection::Socket socket,
                           const tcp::endpoint& endpoint) {
  auto host = endpoint.address().to_string();
  if (!make_room(host))
    return;
  limits_.came(host);
  Connection::Events events;
  events.operating = [this, listener, host](Connection& connection) {
    limits_.greeted(host);
    auto self = connection.shared_from_this();
    std::erase_if(
        half_open_, [&](const auto& entry) { return entry.second == self; });
    when_others_are_sure(
        connection,
        [listener, self] {
          if (listener->acceptor.is_open())
            listener->accepted(self);
          else
            self->close();
        });
  };
  events.closed = [this, host](Connection& connection, const std::string& why) {
    limits_.left(host, connection.has_greeted());
    std::erase_if(half_open_, [&](const auto& entry) { return entry.second.get() == &connection; });
    remove(connection, why);
  };
  auto connection = add(std::move(socket), text_of(endpoint), TlsSide::server, std::move(events));
  half_open_.emplace_back(host, connection);
  connection->start();
}

/// Whoever floods a port shall not flood the log.
void Transport::Impl::tell_stranger(const std::string& text) {
  auto now = std::chrono::steady_clock::now();
  if (now - stranger_begin_ > stranger_span) {
    if (stranger_lines_ > most_stranger_lines)
      spdlog::info("{} more lines like these", stranger_lines_ - most_stranger_lines);
    stranger_begin_ = now;
    stranger_lines_ = 0;
  }
  if (++stranger_lines_ <= most_stranger_lines)
    spdlog::info(text);
}

}  // namespace flowspec
