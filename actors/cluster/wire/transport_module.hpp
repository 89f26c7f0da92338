#pragma once
/// The wire as a module of CAF: carries the frames of CAF's own protocol (BASP) in place of its
/// sockets.
///
///   actor ─► DirectProxy ────────────► Connection ─► peer ─► Connection ────────────────► actor
///              └► BASP broker ─► scribe ───┘                     └─► scribe ─► BASP broker ──┘
///
/// The door is the one that caf_openssl uses: io::middleman_actor_impl has virtual `connect` and
/// `open`, which give the broker a scribe and a doorman. Ours come from connections that already
/// operate, so that the broker never sees a stranger. Handshakes, monitors, losses and spawn requests
/// take the way through the broker. Messages need not: they are written on the thread of their sender
/// and go into their receiver's mailbox on the wire's thread, which saves a message four of its six
/// changes of thread.

#include <memory>
#include <string>

#include <caf/actor_system.hpp>
#include <caf/fwd.hpp>
#include <caf/io/middleman_actor.hpp>
#include <caf/node_id.hpp>

#include "actors/cluster/resolve.hpp"
#include "actors/cluster/wire/transport.hpp"

namespace flowspec {

class Connection;
struct Messaging;

/// Stands in the slot of CAF's network manager, which CAF 0.17 does not fill.
class TransportModule : public caf::actor_system::module {
 public:
  /// @param options  the node's id in the greeting is filled in.
  TransportModule(caf::actor_system& system, TransportOptions options);
  ~TransportModule() override;

  void init(caf::actor_system_config& config) override;
  void start() override;
  void stop() override;
  id_t id() const override { return network_manager; }
  void* subtype_ptr() override { return this; }

  Transport& transport() { return *transport_; }
  /// Takes `connect` (see `keep`) and `open` in place of CAF's middleman.
  caf::io::middleman_actor middleman() const { return middleman_; }
  /// Puts a connection aside until the middleman is asked to `connect` to the host that this returns.
  std::string keep(const std::shared_ptr<Connection>& connection);

 private:
  class Broker;
  class Middleman;
  class Kept;

  caf::actor_system& system_;
  TransportOptions options_;
  std::unique_ptr<Transport> transport_;
  std::shared_ptr<Kept> kept_;
  std::shared_ptr<Messaging> messaging_;
  caf::io::middleman_actor middleman_;
};

/// Loads the wire into actor systems with this configuration.
void load_transport(caf::actor_system_config& config, TransportOptions options);

/// Of a system whose configuration has loaded it.
TransportModule& transport_of(caf::actor_system& system);

/// The process sends data to the actor: see GivenActors::expect. Ends with the actor. Nothing to do in
/// systems without the wire, or where both are in one process.
void expect_data(caf::actor_system& system, const caf::actor& receiver, const caf::node_id& sender,
                 std::size_t most_bytes);

/// Why the newest connection with a process ended, in words; empty if none has lately.
std::string loss_of(caf::actor_system& system, const caf::node_id& node);

/// A process as the wire knows it. Nothing for ids that are no process.
NodeKey node_key(const caf::node_id& node);
caf::node_id node_id_of(const NodeKey& key);

}  // namespace flowspec
