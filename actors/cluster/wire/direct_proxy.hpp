#pragma once
/// Messages to and from other processes without a way through CAF's broker.

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include <caf/actor_addr.hpp>
#include <caf/forwarding_actor_proxy.hpp>
#include <caf/message_id.hpp>
#include <caf/node_id.hpp>
#include <caf/proxy_registry.hpp>

namespace flowspec {

class Connection;

/// The connections that messages to a process take. Thread-safe.
class Routes {
 public:
  void add(const caf::node_id& node, const std::shared_ptr<Connection>& connection);
  /// True if no other connection is left.
  bool remove(const caf::node_id& node, const Connection* connection);
  /// The oldest connection that operates, so that the messages of a sender keep their order; null if
  /// there is none.
  std::shared_ptr<Connection> find(const caf::node_id& node) const;

 private:
  mutable std::shared_mutex mutex_;
  std::map<caf::node_id, std::vector<std::shared_ptr<Connection>>> connections_;
};

/// Requests that other processes have not answered. CAF leaves those to a lost process without an answer
/// until their own limit, which may be far. Thread-safe.
class OpenRequests {
 public:
  void add(const caf::node_id& node, const caf::actor_addr& sender, caf::message_id id);
  /// The node has answered.
  void remove(const caf::node_id& node, caf::actor_id sender, caf::message_id response);
  /// The node is lost: whoever waits for it gets the error.
  void fail(const caf::node_id& node, const caf::error& reason);

 private:
  struct Request {
    caf::actor_addr sender;
    caf::message_id id;
  };

  std::mutex mutex_;
  /// By the sender's id and the number of the request; of one node never more than
  /// `most_open_requests`: the oldest go first.
  using Requests = std::map<std::pair<caf::actor_id, std::uint64_t>, Request>;
  std::map<caf::node_id, Requests> nodes_;
};

inline constexpr std::size_t most_open_requests = 4096;

/// What proxies share.
struct Messaging {
  Routes routes;
  OpenRequests requests;
};

/// An actor of another process. Writes messages to the connection at once, on the sender's thread.
class DirectProxy : public caf::forwarding_actor_proxy {
 public:
  DirectProxy(caf::actor_config& config, caf::actor broker, std::shared_ptr<Messaging> messaging)
      : forwarding_actor_proxy(config, std::move(broker)), messaging_(std::move(messaging)) {}

  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* context) override;
  void kill_proxy(caf::execution_unit* context, caf::error reason) override;

 private:
  bool send(caf::mailbox_element& what);

  std::shared_ptr<Messaging> messaging_;
  std::atomic<bool> is_dead_ = false;
};

/// Puts a message into the mailbox of its receiver. False if the broker has to see the frame.
bool deliver(caf::actor_system& system, caf::proxy_registry& proxies, OpenRequests& requests,
             const caf::node_id& peer, const std::vector<char>& frame);

}  // namespace flowspec
