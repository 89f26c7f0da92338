#include "runtime/cluster/returning_nodes.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <spdlog/spdlog.h>

#include "actors/cluster/dialer.hpp"
#include "actors/cluster/node_agent.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/support/log_failures.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

namespace {

constexpr std::chrono::seconds dial_pause{1};
constexpr std::chrono::seconds answer_limit{5};

using WatcherActor = caf::typed_actor<
    // To itself: dial the node of this number.
    reacts_to<tick_a, std::uint32_t>>;

class Watcher {
 public:
  static constexpr const char* name = "returning nodes";

  void init(WatcherActor::pointer self, const std::vector<RemoteNode>& nodes,
            const CoordinatorActor& coordinator,
            std::function<std::string(const NodeInfo&)> misfit) {
    self_ = self;
    nodes_ = nodes;
    coordinator_ = coordinator;
    misfit_ = std::move(misfit);
    log_failures(self);
    self->set_down_handler([this](const caf::down_msg& down) { on_down(down); });
    for (std::uint32_t i = 0; i < nodes_.size(); ++i)
      watch(i);
  }

  ~Watcher() { end_actor(dialer_); }

  void dial(std::uint32_t number) {
    if (!dialer_)
      dialer_ = spawn_dialer(self_->system());
    const Address& address = nodes_[number].address;
    self_->request(dialer_, dial_limit, connect_a_v, address.host, address.port)
        .then([this, number](const caf::node_id& id) { make_agent(number, id); },
              [this, number](const caf::error&) { wait(number); });
  }

 private:
  void watch(std::uint32_t number) {
    watched_[nodes_[number].agent.address()] = number;
    self_->monitor(nodes_[number].agent);
  }

  void on_down(const caf::down_msg& down) {
    if (auto lost = watched_.extract(down.source); !lost.empty())
      wait(lost.mapped());
  }

  void wait(std::uint32_t number) { self_->delayed_send(self_, dial_pause, tick_a_v, number); }

  void make_agent(std::uint32_t number, const caf::node_id& id) {
    auto& system = self_->system();
    self_
        ->request(system.middleman().actor_handle(), answer_limit, caf::spawn_atom::value, id,
                  std::string(node_agent_name),
                  caf::make_message(caf::actor_cast<caf::actor>(coordinator_)),
                  system.message_types<NodeAgentActor>())
        .then(
            [this, number, id](const caf::strong_actor_ptr& agent) {
              if (!agent)
                return wait(number);
              RemoteNode node = nodes_[number];
              node.id = id;
              node.agent = caf::actor_cast<NodeAgentActor>(agent);
              greet(number, std::move(node));
            },
            [this, number](const caf::error&) { wait(number); });
  }

  void greet(std::uint32_t number, RemoteNode node) {
    auto agent = node.agent;
    self_->request(agent, answer_limit, hello_a_v)
        .then(
            [this, number, node = std::move(node)](const NodeInfoMessage& message) mutable {
              try {
                node.info = node_info(message);
              } catch (const RuntimeError& e) {
                spdlog::warn("{} is another program now: {}", node.address.text(), e.what());
                return end_actor(node.agent);
              }
              take(number, std::move(node));
            },
            [this, number, agent](const caf::error&) {
              end_actor(agent);
              wait(number);
            });
  }

  void take(std::uint32_t number, RemoteNode node) {
    if (auto why = misfit_(node.info); !why.empty()) {
      spdlog::warn("node {} is back, and cannot take part: {}", node.label(), why);
      return end_actor(node.agent);
    }
    self_->send(coordinator_, hello_a_v,
                Peer{node.agent, node.label(), node.address.host, node.address.port});
    // Only now: whoever reads it may lose the next node at once.
    spdlog::info("node {} is back, as a spare", node.label());
    nodes_[number] = std::move(node);
    watch(number);
  }

  WatcherActor::pointer self_ = nullptr;
  std::vector<RemoteNode> nodes_;
  CoordinatorActor coordinator_;
  std::function<std::string(const NodeInfo&)> misfit_;
  std::map<caf::actor_addr, std::uint32_t> watched_;
  DialerActor dialer_;
};

WatcherActor::behavior_type watcher(WatcherActor::stateful_pointer<Watcher> self,
                                    const std::vector<RemoteNode>& nodes,
                                    const CoordinatorActor& coordinator,
                                    const std::function<std::string(const NodeInfo&)>& misfit) {
  self->state.init(self, nodes, coordinator, misfit);
  auto& state = self->state;
  return {[&state](tick_a, std::uint32_t number) { state.dial(number); }};
}

}  // namespace

caf::actor watch_for_returns(caf::actor_system& system, const std::vector<RemoteNode>& nodes,
                             const CoordinatorActor& coordinator,
                             std::function<std::string(const NodeInfo&)> misfit) {
  return caf::actor_cast<caf::actor>(system.spawn(watcher, nodes, coordinator, std::move(misfit)));
}

}  // namespace flowspec
