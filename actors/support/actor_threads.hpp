#pragma once

#include <chrono>
#include <cstddef>

#include <caf/fwd.hpp>

namespace flowspec {

/// The threads of detached actors, between the system's begin and its end: lives as long as actors
/// are made, and shorter than the system.
///
/// CAF tells the network's broker of actors that have ended and that other machines know. A system
/// that ends meanwhile has a broker without a thread: nobody takes the message, which keeps the
/// actor, whose thread is then waited for without end.
class ActorThreads {
 public:
  /// A thread that does not end must not keep the program.
  static constexpr std::chrono::milliseconds usual_limit{1000};

  /// Counts those that the system has for itself.
  explicit ActorThreads(caf::actor_system& system, std::chrono::milliseconds limit = usual_limit);
  /// Waits until no others are left, or for the limit.
  ~ActorThreads();
  ActorThreads(const ActorThreads&) = delete;
  ActorThreads& operator=(const ActorThreads&) = delete;

 private:
  caf::actor_system& system_;
  std::chrono::milliseconds limit_;
  std::size_t own_;
};

}  // namespace flowspec
