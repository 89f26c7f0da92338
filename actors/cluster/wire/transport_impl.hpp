#pragma once
/// What stands behind Transport.

#include <list>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "actors/cluster/wire/connection_internal.hpp"
#include "actors/cluster/wire/transport.hpp"

namespace flowspec {

using tcp = asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;

/// "host:port".
std::string text_of(const tcp::endpoint& endpoint);
tcp::endpoint endpoint_of(const HostAddress& address);

class Transport::Impl {
 public:
  explicit Impl(TransportOptions options)
      : options_(std::move(options)),
        settings_{options_.tls, options_.greeting, given_.get(),
                  [this](const Connection& newcomer) { return is_someone_else(newcomer); }},
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
  const std::shared_ptr<GivenActors>& given() const { return given_; }
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
  bool is_someone_else(const Connection& newcomer) const;
  /// Calls back once no other connection with the newcomer's process is one that only this end takes for
  /// open: what is sent goes over the oldest, and would be lost without a word.
  void when_others_are_sure(const Connection& newcomer, std::function<void()> done) const;
  void remove(const Connection& connection, const std::string& why);
  void tell_stranger(const std::string& text);

  TransportOptions options_;
  const std::shared_ptr<GivenActors> given_ = std::make_shared<GivenActors>();
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

}  // namespace flowspec
