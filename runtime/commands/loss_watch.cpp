#include "runtime/commands/loss_watch.hpp"

#include <mutex>

#include <caf/all.hpp>

#include "actors/support/end_actor.hpp"
#include "actors/support/log_failures.hpp"

namespace flowspec {

struct LossWatch::Shared {
  /// Null when nobody waits any more.
  Event* event;
  std::mutex mutex;
  std::optional<std::string> loss;

  void set(const std::string& why) {
    std::lock_guard lock(mutex);
    if (loss || event == nullptr)
      return;
    loss = why;
    event->set();
  }
};

struct LossWatch::Watcher {
  caf::actor actor;
};

LossWatch::LossWatch(caf::actor_system& system, const CoordinatorActor& coordinator, Event& lost)
    : shared_(std::make_shared<Shared>()), watcher_(std::make_unique<Watcher>()) {
  shared_->event = &lost;
  watcher_->actor = system.spawn([shared = shared_](caf::event_based_actor* self) -> caf::behavior {
    log_failures(self);
    return {[shared](lost_a, const std::string& why) { shared->set(why); }};
  });
  caf::anon_send(coordinator, hello_a_v, watcher_->actor);
}

LossWatch::~LossWatch() {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->event = nullptr;
  }
  end_actor(watcher_->actor);
}

std::optional<std::string> LossWatch::loss() const {
  std::lock_guard lock(shared_->mutex);
  return shared_->loss;
}

}  // namespace flowspec
