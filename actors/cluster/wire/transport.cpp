#include "actors/cluster/wire/transport.hpp"

#include <algorithm>
#include <cctype>
#include <future>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/wire/transport_impl.hpp"

namespace flowspec {

namespace {

constexpr std::size_t most_losses = 64;

}  // namespace

std::string text_of(const tcp::endpoint& endpoint) {
  auto host = endpoint.address().to_string();
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", host, endpoint.port())
                                    : fmt::format("{}:{}", host, endpoint.port());
}

tcp::endpoint endpoint_of(const HostAddress& address) {
  tcp::endpoint endpoint;
  endpoint.resize(address.size);
  std::copy_n(reinterpret_cast<const char*>(address.get()), address.size,
              reinterpret_cast<char*>(endpoint.data()));
  return endpoint;
}

/// What one connection cannot do, for lack of memory, is no reason to end the others.
void Transport::Impl::serve() {
  while (true)
    try {
      context_.run();
      return;
    } catch (const std::exception& e) {
      spdlog::error("the wire: {}", e.what());
    }
}

void Transport::Impl::stop() {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(is_stopped_, true))
      return;
  }
  auto drained = std::make_shared<std::promise<void>>();
  asio::post(context_, [this, drained] {
    for (auto& [port, listener] : listeners_) {
      error_code ignored;
      listener->acceptor.close(ignored);
      listener->pause.cancel(ignored);
    }
    listeners_.clear();
    for (const auto& dial : std::exchange(dials_, {}))
      end_dial(*dial);
    std::vector<std::shared_ptr<Connection>> all;
    {
      std::lock_guard lock(mutex_);
      all = connections_;
    }
    for (const auto& connection : all)
      connection->close();
    work_.reset();  // the thread ends with the last connection
    drained->set_value();
  });
  drained->get_future().wait();
  thread_.join();
}

std::shared_ptr<Connection> Transport::Impl::add(Connection::Socket socket,
                                                 const std::string& address, TlsSide side,
                                                 Connection::Events events) {
  auto connection = std::make_shared<Connection>(context_, settings_, std::move(socket), address,
                                                 side, std::move(events));
  std::lock_guard lock(mutex_);
  connections_.push_back(connection);
  return connection;
}

bool Transport::Impl::is_someone_else(const Connection& newcomer) const {
  std::lock_guard lock(mutex_);
  return std::ranges::any_of(connections_, [&](const auto& entry) {
    return entry->has_greeted() && entry->peer().node == newcomer.peer().node &&
           entry->certificate() != newcomer.certificate();
  });
}

void Transport::Impl::when_others_are_sure(const Connection& newcomer,
                                           std::function<void()> done) const {
  std::vector<std::shared_ptr<Connection>> doubtful;
  {
    std::lock_guard lock(mutex_);
    std::ranges::copy_if(connections_, std::back_inserter(doubtful), [&](const auto& entry) {
      return entry.get() != &newcomer && entry->may_be_stale() &&
             entry->peer().node == newcomer.peer().node;
    });
  }
  // The last one to let go of it calls.
  std::shared_ptr<void> all(nullptr, [done = std::move(done)](void*) { done(); });
  for (const auto& connection : doubtful)
    connection->when_heard([all] {});
}

void Transport::Impl::remove(const Connection& connection, const std::string& why) {
  if (!connection.has_greeted()) {
    if (!connection.info().is_dialer)
      tell_stranger(fmt::format("a connection from {} has ended: {}", connection.address(), why));
  } else {
    spdlog::info("the connection with {} ({}) has ended: {}", connection.peer().name,
                 connection.address(), why);
  }
  std::lock_guard lock(mutex_);
  std::erase_if(connections_, [&](const auto& entry) { return entry.get() == &connection; });
  if (!connection.has_greeted())
    return;
  const auto& node = connection.peer().node;
  losses_.push_back(
      {node, fmt::format("{} ({})", connection.peer().name, connection.address()), why});
  if (losses_.size() > most_losses)
    losses_.pop_front();
}

std::vector<ConnectionInfo> Transport::Impl::connections() const {
  std::lock_guard lock(mutex_);
  std::vector<ConnectionInfo> infos;
  for (const auto& connection : connections_)
    if (auto info = connection->info(); !info.name.empty())
      infos.push_back(std::move(info));
  return infos;
}

std::string Transport::Impl::name_of(const NodeKey& node) const {
  std::lock_guard lock(mutex_);
  for (const auto& connection : connections_)
    if (connection->has_greeted() && connection->peer().node == node)
      return fmt::format("{} ({})", connection->peer().name, connection->address());
  auto lost = std::find_if(losses_.rbegin(), losses_.rend(),
                           [&](const Loss& loss) { return loss.node == node; });
  return lost == losses_.rend() ? "" : lost->name;
}

std::string Transport::Impl::loss_of(const NodeKey& node) const {
  std::lock_guard lock(mutex_);
  auto lost = std::find_if(losses_.rbegin(), losses_.rend(),
                           [&](const Loss& loss) { return loss.node == node; });
  return lost == losses_.rend() ? "" : lost->why;
}

Transport::Transport(TransportOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}

Transport::~Transport() = default;

void Transport::stop() {
  impl_->stop();
}

void Transport::dial(const std::vector<HostAddress>& addresses, std::function<void(Dialled)> done) {
  impl_->dial(addresses, std::move(done));
}

std::uint16_t Transport::listen(const HostAddress& address,
                                std::function<void(std::shared_ptr<Connection>)> accepted) {
  return impl_->listen(address, std::move(accepted));
}

void Transport::stop_listening(std::uint16_t port) {
  impl_->stop_listening(port);
}

const std::shared_ptr<GivenActors>& Transport::given() const {
  return impl_->given();
}

const Greeting& Transport::greeting() const {
  return impl_->greeting();
}

std::vector<ConnectionInfo> Transport::connections() const {
  return impl_->connections();
}

std::string Transport::name_of(const NodeKey& node) const {
  return impl_->name_of(node);
}

std::string Transport::loss_of(const NodeKey& node) const {
  return impl_->loss_of(node);
}

}  // namespace flowspec
