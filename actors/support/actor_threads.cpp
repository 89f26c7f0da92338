#include "actors/support/actor_threads.hpp"

#include <thread>

#include <caf/all.hpp>

namespace flowspec {

ActorThreads::ActorThreads(caf::actor_system& system, std::chrono::milliseconds limit)
    : system_(system), limit_(limit), own_(system.detached_actors()) {}

ActorThreads::~ActorThreads() {
  auto end = std::chrono::steady_clock::now() + limit_;
  // There is no notification when the number changes, but it changes within microseconds.
  while (system_.detached_actors() > own_ && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace flowspec
