#include "actors/cluster/wire/transport.hpp"

#include <algorithm>
#include <future>
#include <list>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/wire/connection.hpp"
#include "actors/cluster/wire/wire_error.hpp"

namespace flowspec {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;

constexpr std::chrono::seconds connect_limit{3};
constexpr std::chrono::milliseconds accept_pause{100};
constexpr std::chrono::milliseconds stop_limit{1000};
constexpr std::size_t most_losses = 64;
/// Lines of log about strangers in one span of time.
constexpr int most_stranger_lines = 10;
constexpr std::chrono::seconds stranger_span{10};

std::string text_of(const error_code& error) {
  auto text = error.message();
  if (!text.empty())
    text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
  return text;
}

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

}  // namespace

class Transport::Impl {
 public:
  explicit Impl(TransportOptions options)
      : options_(std::move(options)),
        settings_{options_.tls, options_.greeting, &given_},
        limits_(options_.limits),
        work_(context_.get_executor()),
        thread_([this] { serve(); }) {}

  ~Impl() { stop(); }

  void stop();
  void dial(const std::vector<HostAddress>& addresses, std::function<void(Dialled)> done);
  std::uint16_t listen(const HostAddress& address,
                       std::function<void(std::shared_ptr<Connection>)> accepted);
  void stop_listening(std::uint16_t port);
  const Greeting& greeting() const { return settings_.greeting; }
  std::vector<ConnectionInfo> connections() const;
  std::string name_of(const NodeKey& node) const;
  std::string loss_of(const NodeKey& node) const;

 private:
  using Accepted = std::function<void(std::shared_ptr<Connection>)>;
  struct Listener {
    Listener(Executor executor, Accepted done)
        : acceptor(executor), pause(executor), accepted(std::move(done)) {}
    Acceptor acceptor;
    Timer pause;
    Accepted accepted;
  };
  /// Attempts to connect to all addresses of a host.
  struct Dial {
    Dial(Executor executor, std::function<void(Dialled)> callback)
        : limit(executor), done(std::move(callback)) {}
    std::vector<Connection::Socket> sockets;
    std::vector<std::string> names;
    std::vector<std::string> problems;
    std::size_t open = 0;
    Timer limit;
    std::function<void(Dialled)> done;
  };
  struct Loss {
    NodeKey node;
    std::string name;
    std::string why;
  };

  void serve();
  void start_dial(const std::shared_ptr<Dial>& dial, const std::vector<HostAddress>& addresses);
  void on_connected(const std::shared_ptr<Dial>& dial, std::size_t i, const error_code& error);
  static void end_dial(Dial& dial);
  static std::string problem_of(const Dial& dial);
  void accept(const std::shared_ptr<Listener>& listener);
  void take(const std::shared_ptr<Listener>& listener, Connection::Socket socket,
            const tcp::endpoint& endpoint);
  bool make_room(const std::string& host);
  std::shared_ptr<Connection> add(Connection::Socket socket, const std::string& address,
                                  TlsSide side, Connection::Events events);
  void remove(const Connection& connection, const std::string& why);
  void tell_stranger(const std::string& text);

  TransportOptions options_;
  GivenActors given_;
  ConnectionSettings settings_;
  asio::io_context context_{1};

  // On the wire's thread.
  ConnectionLimits limits_;
  std::map<std::uint16_t, std::shared_ptr<Listener>> listeners_;
  /// Accepted ones that have not greeted, the oldest first.
  std::list<std::pair<std::string, std::shared_ptr<Connection>>> half_open_;
  std::set<std::shared_ptr<Dial>> dials_;
  std::chrono::steady_clock::time_point stranger_begin_{};
  int stranger_lines_ = 0;

  // Shared.
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::deque<Loss> losses_;
  bool is_stopped_ = false;

  asio::executor_work_guard<Executor> work_;
  std::thread thread_;
};

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

// -- dialling -----------------------------------------------------------------------------------

void Transport::Impl::dial(const std::vector<HostAddress>& addresses,
                           std::function<void(Dialled)> done) {
  auto dial = std::make_shared<Dial>(context_.get_executor(), std::move(done));
  asio::post(context_, [this, dial, addresses] { start_dial(dial, addresses); });
}

void Transport::Impl::start_dial(const std::shared_ptr<Dial>& dial,
                                 const std::vector<HostAddress>& addresses) {
  {
    std::lock_guard lock(mutex_);
    if (is_stopped_ || addresses.empty())
      return dial->done(
          {nullptr, is_stopped_ ? "this program is ending" : "the host has no address"});
  }
  dials_.insert(dial);
  dial->open = addresses.size();
  dial->problems.resize(addresses.size(), "no answer in time");
  for (const HostAddress& address : addresses) {
    dial->sockets.emplace_back(context_);
    dial->names.push_back(text_of(endpoint_of(address)));
  }
  dial->limit.expires_after(connect_limit);
  dial->limit.async_wait([this, dial](const error_code& error) {
    if (error || dials_.erase(dial) == 0)
      return;
    auto problem = problem_of(*dial);
    end_dial(*dial);
    dial->done({nullptr, problem});
  });
  for (std::size_t i = 0; i < addresses.size(); ++i)
    dial->sockets[i].async_connect(
        endpoint_of(addresses[i]),
        [this, dial, i](const error_code& error) { on_connected(dial, i, error); });
}

void Transport::Impl::on_connected(const std::shared_ptr<Dial>& dial, std::size_t i,
                                   const error_code& error) {
  if (!dials_.contains(dial))
    return;
  if (error) {
    dial->problems[i] = text_of(error);
    if (--dial->open > 0)
      return;
    dials_.erase(dial);
    end_dial(*dial);
    return dial->done({nullptr, problem_of(*dial)});
  }
  dials_.erase(dial);
  auto socket = std::move(dial->sockets[i]);
  end_dial(*dial);
  // The first of both events is the answer.
  auto answer = std::make_shared<std::function<void(Dialled)>>(std::move(dial->done));
  Connection::Events events;
  events.operating = [answer](Connection& connection) {
    if (auto done = std::exchange(*answer, nullptr))
      done({connection.shared_from_this(), ""});
  };
  events.closed = [this, answer](Connection& connection, const std::string& why) {
    remove(connection, why);
    if (auto done = std::exchange(*answer, nullptr))
      done({nullptr, why});
  };
  add(std::move(socket), dial->names[i], TlsSide::client, std::move(events))->start();
}

void Transport::Impl::end_dial(Dial& dial) {
  error_code ignored;
  dial.limit.cancel(ignored);
  for (auto& socket : dial.sockets)
    socket.close(ignored);
}

/// The addresses are named only if there are several.
std::string Transport::Impl::problem_of(const Dial& dial) {
  if (dial.problems.size() == 1)
    return dial.problems.front();
  std::string text;
  for (std::size_t i = 0; i < dial.problems.size(); ++i)
    text += fmt::format("{}{}: {}", i == 0 ? "" : "; ", dial.names[i], dial.problems[i]);
  return text;
}

// -- accepting ----------------------------------------------------------------------------------

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
          take(listener, std::move(*socket), *endpoint);
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
    if (listener->acceptor.is_open())
      listener->accepted(std::move(self));
    else
      connection.close();
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

// -- all connections ----------------------------------------------------------------------------

std::shared_ptr<Connection> Transport::Impl::add(Connection::Socket socket,
                                                 const std::string& address, TlsSide side,
                                                 Connection::Events events) {
  auto connection = std::make_shared<Connection>(context_, settings_, std::move(socket), address,
                                                 side, std::move(events));
  std::lock_guard lock(mutex_);
  connections_.push_back(connection);
  return connection;
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

// -- the public face ----------------------------------------------------------------------------

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
