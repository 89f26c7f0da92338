#pragma once
/// The client of many requests: sends each when its time has come, and notes what comes back. It
/// goes by CAF's clock, real or virtual.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "actors/cluster/coordinator.hpp"
#include "actors/pipeline/request.hpp"
#include "runtime/bench/load.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

struct Load {
  /// Without clients.
  std::vector<Request> requests;
  LoadSchedule schedule;
  /// Begins before all others, and is cancelled when they have ended.
  std::optional<Request> beside;
};

struct LoadResult {
  LoadLog log;
  bool is_done = false;
  /// Why the load ended early; empty: it did not.
  std::string error;
  ErrorCode code = ErrorCode::internal;
};

/// Ends when all requests have, or with the first that fails. `result` is complete then; the actor
/// writes to it and nobody may read it before.
caf::actor spawn_load_client(caf::actor_system& system, CoordinatorActor coordinator, Load load,
                             std::shared_ptr<LoadResult> result);

/// The log; throws RuntimeError if the load ended early.
LoadLog take_log(LoadResult& result);

}  // namespace flowspec
