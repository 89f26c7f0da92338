#pragma once

#include <memory>
#include <string>

#include <caf/fwd.hpp>

#include "actors/cluster/coordinator.hpp"
#include "runtime/openai/metrics.hpp"
#include "runtime/serve/cluster_view.hpp"
#include "runtime/serve/served_model.hpp"

namespace flowspec {

struct PipelineModelOptions {
  /// Answers at once, and requests that wait for that.
  std::size_t most_running = 64;
  std::size_t most_waiting = 256;
};

/// A run as a server has it. `metrics` and the system have to outlive it; the run may end once its answers
/// have been ended and their connections are closed. `shape` has what does not change while it runs.
std::shared_ptr<ServedModel> make_pipeline_model(caf::actor_system& system,
                                                 const CoordinatorActor& coordinator,
                                                 ServedText text, ClusterState shape,
                                                 openai::Metrics& metrics,
                                                 const PipelineModelOptions& options);

}  // namespace flowspec
