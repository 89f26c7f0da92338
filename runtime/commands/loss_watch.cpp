#include "runtime/commands/loss_watch.hpp"

#include <map>
#include <mutex>

#include <caf/all.hpp>

#include "actors/support/end_actor.hpp"
#include "actors/support/log_failures.hpp"

namespace flowspec {

struct LossWatch::Shared {
  /// Null when nobody waits any more.
  Event* event;
  std::map<caf::actor_addr, std::string> labels;
  std::mutex mutex;
  std::optional<std::string> lost;

  void on_down(const caf::actor_addr& source) {
    std::lock_guard lock(mutex);
    auto node = labels.find(source);
    if (lost || event == nullptr || node == labels.end())
      return;
    lost = node->second;
    event->set();
  }
};

struct LossWatch::Watcher {
  caf::actor actor;
};

LossWatch::LossWatch(caf::actor_system& system, const std::vector<RemoteNode>& nodes, Event& lost)
    : shared_(std::make_shared<Shared>()), watcher_(std::make_unique<Watcher>()) {
  shared_->event = &lost;
  std::vector<NodeAgentActor> agents;
  for (const RemoteNode& node : nodes) {
    shared_->labels.emplace(node.agent.address(), node.label());
    agents.push_back(node.agent);
  }
  watcher_->actor = system.spawn([shared = shared_,
                                  agents](caf::event_based_actor* self) -> caf::behavior {
    log_failures(self);
    self->set_down_handler([shared](const caf::down_msg& down) { shared->on_down(down.source); });
    for (const NodeAgentActor& agent : agents)
      self->monitor(agent);
    // CAF ends an actor that has no behaviour.
    return {[](caf::unit_t) {}};
  });
}

LossWatch::~LossWatch() {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->event = nullptr;
  }
  end_actor(watcher_->actor);
}

std::optional<std::string> LossWatch::lost_node() const {
  std::lock_guard lock(shared_->mutex);
  return shared_->lost;
}

}  // namespace flowspec
