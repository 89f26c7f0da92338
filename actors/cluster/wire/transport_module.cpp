#include "actors/cluster/wire/transport_module.hpp"

#include <atomic>
#include <charconv>
#include <cstring>
#include <future>
#include <map>
#include <mutex>

#include <caf/all.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <fmt/format.h>

#include "actors/cluster/wire/basp.hpp"
#include "actors/cluster/wire/connection.hpp"
#include "actors/cluster/wire/direct_proxy.hpp"
#include "actors/cluster/wire/wire_error.hpp"
#include "actors/support/text_error.hpp"

namespace flowspec {

namespace {

using caf::io::network::multiplexer;

/// Handles of CAF's own sockets are descriptors: ours are far from them.
std::int64_t new_handle() {
  static std::atomic<std::int64_t> last = std::int64_t{1} << 40;
  return ++last;
}

std::pair<std::string, std::uint16_t> split(const std::string& address) {
  auto colon = address.rfind(':');
  unsigned port = 0;
  std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  return {address.substr(0, colon), static_cast<std::uint16_t>(port)};
}

/// What scribes share.
struct ScribeWorld {
  caf::actor_system& system;
  multiplexer& backend;
  caf::proxy_registry& proxies;
  Transport& transport;
  std::shared_ptr<Messaging> messaging;
};

/// Gives a connection's frames to the BASP broker, and the broker's frames to the connection. Lives
/// on the multiplexer's thread.
class WireScribe : public caf::io::scribe {
 public:
  WireScribe(const ScribeWorld& world, std::shared_ptr<Connection> connection)
      : scribe(caf::io::connection_handle::from_int(new_handle())),
        world_(world),
        connection_(std::move(connection)) {}

  void configure_read(caf::io::receive_policy::config config) override {
    wanted_ = config.second;
    if (!std::exchange(is_attached_, true))
      connection_->attach(std::make_shared<Receiver>(this, node_id_of(connection_->peer().node)));
  }
  void ack_writes(bool /*enable*/) override {}
  std::vector<char>& wr_buf() override { return written_; }
  std::vector<char>& rd_buf() override { return read_; }

  void flush() override {
    // Mostly a single frame, which goes on without a copy.
    while (!written_.empty()) {
      auto header = read_basp_header(bytes_of({written_.data(), written_.size()}));
      auto size = header ? BaspHeader::size + header->payload_size : written_.size();
      if (size >= written_.size())
        return connection_->send(std::exchange(written_, {}));
      auto end = written_.begin() + static_cast<std::ptrdiff_t>(size);
      connection_->send({written_.begin(), end});
      written_.erase(written_.begin(), end);
    }
  }

  void graceful_shutdown() override {
    connection_->close();
    detach(&world_.backend, false);
  }
  void add_to_loop() override {}
  void remove_from_loop() override {}
  std::string addr() const override { return split(connection_->address()).first; }
  std::uint16_t port() const override { return split(connection_->address()).second; }

 private:
  /// On the wire's thread: delivers messages, and brings the rest to the multiplexer's thread.
  class Receiver : public FrameReceiver {
   public:
    Receiver(WireScribe* scribe, caf::node_id peer) : scribe_(scribe), peer_(std::move(peer)) {}
    void take(std::vector<char>& frame) override {
      // Its handshake: somebody over there has taken the connection, too. A dialler that has ended
      // meanwhile leaves one that operates, and that nobody reads.
      if (!std::exchange(is_route_, true))
        scribe_->world_.messaging->routes.add(peer_, scribe_->connection_);
      if (deliver(scribe_->world_.system, scribe_->world_.proxies,
                  scribe_->world_.messaging->requests, peer_, frame))
        return scribe_->connection_->consumed(frame.size());
      auto shared = std::make_shared<std::vector<char>>(std::move(frame));
      scribe_->world_.backend.post([scribe = scribe_, shared] { scribe->take(*shared); });
    }
    void closed() override {
      auto scribe = std::exchange(scribe_, nullptr);
      auto& messaging = *scribe->world_.messaging;
      if (messaging.routes.remove(peer_, scribe->connection_.get()))
        messaging.requests.fail(
            peer_,
            text_error(ErrorCode::node_lost, scribe->world_.transport.loss_of(node_key(peer_))));
      auto& backend = scribe->world_.backend;
      backend.post([scribe = std::move(scribe)] { scribe->detach(&scribe->world_.backend, true); });
    }

   private:
    caf::intrusive_ptr<WireScribe> scribe_;
    const caf::node_id peer_;
    bool is_route_ = false;
  };

  /// The broker wants the header first, and then as many bytes as it says.
  void take(std::vector<char>& frame) {
    auto size = frame.size();
    std::vector<char> header(frame.begin(), frame.begin() + BaspHeader::size);
    frame.erase(frame.begin(), frame.begin() + BaspHeader::size);
    if (give(std::move(header)) && !frame.empty())
      give(std::move(frame));
    connection_->consumed(size);
  }

  bool give(std::vector<char> bytes) {
    if (detached() || bytes.size() != wanted_)
      return false;
    read_ = std::move(bytes);
    return consume(&world_.backend, read_.data(), read_.size());
  }

  const ScribeWorld world_;
  const std::shared_ptr<Connection> connection_;
  std::vector<char> written_;
  std::vector<char> read_;
  std::size_t wanted_ = 0;
  bool is_attached_ = false;
};

class WireDoorman : public caf::io::doorman {
 public:
  explicit WireDoorman(const ScribeWorld& world)
      : doorman(caf::io::accept_handle::from_int(new_handle())), world_(world) {}

  /// Throws WireError.
  void listen(const HostAddress& address) {
    address_ = address.text();
    caf::intrusive_ptr<WireDoorman> self(this);
    port_ = world_.transport.listen(address, [self](std::shared_ptr<Connection> connection) {
      self->world_.backend.post(
          [self, connection = std::move(connection)] { self->take(connection); });
    });
  }

  bool new_connection() override { return true; }
  void launch() override {}
  void graceful_shutdown() override {
    world_.transport.stop_listening(port_);
    detach(&world_.backend, false);
  }
  void add_to_loop() override {}
  void remove_from_loop() override {}
  std::string addr() const override { return address_; }
  std::uint16_t port() const override { return port_; }

 private:
  void take(const std::shared_ptr<Connection>& connection) {
    if (detached())
      return connection->close();
    auto scribe = caf::make_counted<WireScribe>(world_, connection);
    parent()->add_scribe(scribe);
    doorman::new_connection(&world_.backend, scribe->hdl());
  }

  const ScribeWorld world_;
  std::string address_;
  std::uint16_t port_ = 0;
};

}  // namespace

/// Connections that wait for the broker, for as long as they live, by the name that it is asked to
/// connect to.
class TransportModule::Kept {
 public:
  std::string add(const std::shared_ptr<Connection>& connection) {
    std::lock_guard lock(mutex_);
    std::erase_if(connections_, [](const auto& entry) { return entry.second.expired(); });
    auto name = fmt::format("#{}", ++last_);
    connections_[name] = connection;
    return name;
  }
  std::shared_ptr<Connection> take(const std::string& name) {
    std::lock_guard lock(mutex_);
    auto node = connections_.extract(name);
    return node.empty() ? nullptr : node.mapped().lock();
  }

 private:
  std::mutex mutex_;
  std::uint64_t last_ = 0;
  std::map<std::string, std::weak_ptr<Connection>> connections_;
};

/// Makes proxies that do without it.
class TransportModule::Broker : public caf::io::basp_broker {
 public:
  using basp_broker::basp_broker;

  /// CAF's keeps an actor of every process that there ever was.
  void purge_state(const caf::node_id& node) override {
    basp_broker::purge_state(node);
    auto server = spawn_servers.extract(node);
    if (!server.empty())
      caf::anon_send_exit(server.mapped(), caf::exit_reason::kill);
  }

  /// As CAF's, but for what CAF does about third processes: we reach none by way of others.
  caf::strong_actor_ptr make_proxy(caf::node_id node, caf::actor_id id) override {
    if (node == caf::none || id == caf::invalid_actor_id)
      return nullptr;
    caf::strong_actor_ptr self{ctrl()};
    caf::actor_config config;
    auto proxy = caf::make_actor<DirectProxy, caf::strong_actor_ptr>(
        id, node, &system(), config, caf::actor_cast<caf::actor>(self),
        transport_of(system()).messaging_);
    auto& backend = system().middleman().backend();
    proxy->get()->attach_functor([=, &backend](const caf::error& reason) {
      backend.post([=] {
        auto* owner = static_cast<Broker*>(self->get());
        if (!owner->getf(is_terminated_flag))
          owner->proxies().erase(node, proxy->id(), reason);
      });
    });
    return proxy;
  }
};

class TransportModule::Middleman : public caf::io::middleman_actor_impl {
 public:
  Middleman(caf::actor_config& config, const caf::actor& broker, TransportModule* module)
      : middleman_actor_impl(config, broker),
        module_(*module),
        world_{system(), system().middleman().backend(),
               *static_cast<Broker*>(caf::actor_cast<caf::abstract_actor*>(broker))
                    ->proxy_registry_ptr(),
               *module_.transport_, module_.messaging_} {}
  const char* name() const override { return "transport_middleman"; }

 protected:
  caf::expected<caf::io::scribe_ptr> connect(const std::string& host,
                                             std::uint16_t /*port*/) override {
    auto connection = module_.kept_->take(host);
    if (!connection)
      return caf::sec::cannot_connect_to_node;
    return caf::io::scribe_ptr{caf::make_counted<WireScribe>(world_, std::move(connection))};
  }

  caf::expected<caf::io::doorman_ptr> open(std::uint16_t port, const char* address,
                                           bool /*reuse*/) override {
    auto resolved = resolve(address == nullptr ? "127.0.0.1" : address, port);
    if (resolved.addresses.empty())
      return text_error(ErrorCode::bad_request, resolved.problem);
    auto doorman = caf::make_counted<WireDoorman>(world_);
    try {
      doorman->listen(resolved.addresses.front());
    } catch (const WireError& e) {
      return text_error(ErrorCode::bad_request, e.what());
    }
    return caf::io::doorman_ptr{std::move(doorman)};
  }

 private:
  TransportModule& module_;
  const ScribeWorld world_;
};

TransportModule::TransportModule(caf::actor_system& system, TransportOptions options)
    : system_(system),
      options_(std::move(options)),
      kept_(std::make_shared<Kept>()),
      messaging_(std::make_shared<Messaging>()) {}

TransportModule::~TransportModule() = default;

/// Before CAF's middleman starts, which would make a broker of its own.
void TransportModule::init(caf::actor_system_config& /*config*/) {
  system_.middleman().named_broker<Broker>(caf::atom("BASP"));
}

void TransportModule::start() {
  options_.greeting.node = node_key(system_.node());
  transport_ = std::make_unique<Transport>(options_);
  auto broker = system_.middleman().named_broker<Broker>(caf::atom("BASP"));
  middleman_ = system_.spawn<Middleman, caf::detached + caf::hidden>(broker, this);
}

void TransportModule::stop() {
  // What the broker has been given is on its way before the connections close.
  std::promise<void> passed;
  system_.middleman().backend().post([&passed] { passed.set_value(); });
  passed.get_future().wait();
  transport_->stop();
  caf::scoped_actor self(system_, true);
  self->send_exit(middleman_, caf::exit_reason::kill);
  self->wait_for(middleman_);
  middleman_ = nullptr;
}

std::string TransportModule::keep(const std::shared_ptr<Connection>& connection) {
  return kept_->add(connection);
}

void load_transport(caf::actor_system_config& config, TransportOptions options) {
  config.set("middleman.heartbeat-interval", caf::timespan{0});  // connections have their own
  config.set("middleman.workers", 0);  // what is left for the broker is not worth a thread
  config.module_factories.emplace_back(
      [options = std::move(options)](caf::actor_system& system) -> caf::actor_system::module* {
        return new TransportModule(system, options);
      });
}

TransportModule& transport_of(caf::actor_system& system) {
  return reinterpret_cast<TransportModule&>(system.network_manager());
}

std::string loss_of(caf::actor_system& system, const caf::node_id& node) {
  return system.has_network_manager() ? transport_of(system).transport().loss_of(node_key(node))
                                      : "";
}

void expect_data(caf::actor_system& system, const caf::actor& receiver, const caf::node_id& sender,
                 std::size_t most_bytes) {
  if (!system.has_network_manager() || sender == system.node())
    return;
  auto given = transport_of(system).transport().given();
  auto id = receiver.id();
  given->expect(id, node_key(sender), most_bytes);
  caf::actor_cast<caf::abstract_actor*>(receiver)->attach_functor(
      [given, id](const caf::error&) { given->forget(id); });
}

NodeKey node_key(const caf::node_id& node) {
  std::vector<char> bytes;
  caf::binary_serializer serializer(nullptr, bytes);
  NodeKey key{};
  if (!serializer(node) && bytes.size() == key.size())
    std::memcpy(key.data(), bytes.data(), key.size());
  return key;
}

caf::node_id node_id_of(const NodeKey& key) {
  caf::node_id node;
  caf::binary_deserializer source(
      nullptr, caf::make_span(reinterpret_cast<const caf::byte*>(key.data()), key.size()));
  if (source(node))
    return {};
  return node;
}

}  // namespace flowspec
