#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/fwd.hpp>

#include "runtime/cluster/nodes.hpp"
#include "runtime/console/line_reader.hpp"

namespace flowspec {

/// Reports the loss of a node of the run to a thread that waits for something else. The coordinator
/// tells only sessions, and between two sessions there is none to tell.
class LossWatch {
 public:
  /// `lost` is set when a node is lost; it has to outlive the object.
  LossWatch(caf::actor_system& system, const std::vector<RemoteNode>& nodes, Event& lost);
  ~LossWatch();
  LossWatch(const LossWatch&) = delete;
  LossWatch& operator=(const LossWatch&) = delete;

  /// The label of the node that was lost first.
  std::optional<std::string> lost_node() const;

 private:
  struct Shared;
  struct Watcher;
  std::shared_ptr<Shared> shared_;
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace flowspec
