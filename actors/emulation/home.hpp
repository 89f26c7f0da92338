#pragma once
/// A node of an emulated cluster, in this process: makes parts of a pipeline and ends with its owner's word, as a node's
/// agent does, so that what makes and recovers pipelines need not know the difference.

#include <functional>

#include <caf/fwd.hpp>

#include "actors/emulation/timing.hpp"
#include "actors/interfaces.hpp"
#include "actors/pipeline/pipeline.hpp"
#include "messages/setup_types.hpp"

namespace flowspec {

/// May throw: then the home refuses the stage.
using MakeHomeStage = std::function<StageHandle(const StageSpec& spec, const StagePeers& peers)>;
using MakeHomePart = std::function<caf::actor(const PartSpec& spec, const TreePrunerActor& pruner,
                                              const DraftActor& draft)>;
struct HomeMakers {
  MakeHomeStage stage;
  /// Empty: it makes stages only.
  MakeHomePart part = {};
};

/// What it has made does not end with it.
/// @param way  how long a message to it, or from it, travels. A new connection to another home takes two
///             round trips beside the request (TCP and TLS).
NodeAgentActor spawn_home(caf::actor_system& system, HomeMakers make, EmulationSpan way = {});

}  // namespace flowspec
