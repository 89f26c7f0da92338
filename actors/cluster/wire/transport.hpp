#pragma once
/// The connections of a process: those that it dials, those that it accepts, and the one thread that
/// serves them all.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "actors/cluster/resolve.hpp"
#include "actors/cluster/wire/connection_limits.hpp"
#include "actors/cluster/wire/given_actors.hpp"
#include "actors/cluster/wire/greeting.hpp"
#include "actors/cluster/wire/tls.hpp"

namespace flowspec {

class Connection;
struct ConnectionInfo;

struct TransportOptions {
  std::shared_ptr<const TlsContext> tls;
  /// What this process says of itself.
  Greeting greeting;
  ConnectionLimitOptions limits;
};

/// All functions are thread-safe. Callbacks come on the wire's thread, and must not block it.
class Transport {
 public:
  explicit Transport(TransportOptions options);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// Sends what is waiting, for a second at most, and ends all connections and the thread.
  void stop();

  struct Dialled {
    /// It operates; null if there is a problem.
    std::shared_ptr<Connection> connection;
    std::string problem;
  };
  /// Connects to the first of a host's addresses that answers; all are tried at once, so that a dead
  /// one costs no time.
  void dial(const std::vector<HostAddress>& addresses, std::function<void(Dialled)> done);

  /// Listens on an address; `accepted` gets each connection when it operates. Returns the port.
  /// Throws WireError, with the system's words.
  std::uint16_t listen(const HostAddress& address,
                       std::function<void(std::shared_ptr<Connection>)> accepted);
  void stop_listening(std::uint16_t port);

  const Greeting& greeting() const;
  /// Who may send to which actors of this process.
  const std::shared_ptr<GivenActors>& given() const;
  std::vector<ConnectionInfo> connections() const;
  /// "name (host:port)" of a peer that is connected, or was lost lately; empty if unknown.
  std::string name_of(const NodeKey& node) const;
  /// Why the newest connection with this process ended, in words; empty if none has lately.
  std::string loss_of(const NodeKey& node) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flowspec
