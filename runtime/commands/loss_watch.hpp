#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/fwd.hpp>

#include "runtime/cluster/nodes.hpp"
#include "runtime/console/line_reader.hpp"

namespace flowspec {

/// Tells somebody who waits for something else that a node of the run is lost. The coordinator
/// tells sessions only, and between them there is none.
class LossWatch {
 public:
  /// `lost` is set when it happens, and must outlive the object.
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
