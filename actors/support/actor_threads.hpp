#pragma once

#include <chrono>
#include <cstddef>

#include <caf/fwd.hpp>

namespace flowspec {

/// Waits for the threads of detached actors before the actor system ends. Make it right after the
/// system, before any actor; it has to be destroyed before the system.
///
/// CAF tells the network broker about ended actors that other machines know. If the system ends
/// meanwhile, the broker has no thread: nobody takes the message, the message keeps the actor
/// alive, and the system waits for the actor's thread for ever.
class ActorThreads {
 public:
  /// A thread that does not end must not keep the program from ending.
  static constexpr std::chrono::milliseconds usual_limit{1000};

  /// Counts the threads that the system itself has.
  explicit ActorThreads(caf::actor_system& system, std::chrono::milliseconds limit = usual_limit);
  /// Waits until no other threads are left, or until the limit.
  ~ActorThreads();
  ActorThreads(const ActorThreads&) = delete;
  ActorThreads& operator=(const ActorThreads&) = delete;

 private:
  caf::actor_system& system_;
  std::chrono::milliseconds limit_;
  std::size_t own_;
};

}  // namespace flowspec
