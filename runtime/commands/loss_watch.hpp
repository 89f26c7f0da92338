#pragma once

#include <memory>
#include <optional>
#include <string>

#include <caf/fwd.hpp>

#include "actors/cluster/coordinator.hpp"
#include "runtime/console/line_reader.hpp"

namespace flowspec {

/// Reports the loss of a run to a thread that waits for something else: between two sessions there is none
/// to tell.
class LossWatch {
 public:
  /// `lost` is set when no session can go on; it has to outlive the object.
  LossWatch(caf::actor_system& system, const CoordinatorActor& coordinator, Event& lost);
  ~LossWatch();
  LossWatch(const LossWatch&) = delete;
  LossWatch& operator=(const LossWatch&) = delete;

  /// Why, in words.
  std::optional<std::string> loss() const;

 private:
  struct Shared;
  struct Watcher;
  std::shared_ptr<Shared> shared_;
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace flowspec
