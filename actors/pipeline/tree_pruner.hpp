#pragma once
/// The tree pruner: the one authority over the root of every session's tree.
///
///   SentRows ─────┐                       ┌──► Prunes to the draft, with credits
///   (from draft)  ▼                       │
///              canonical tree ── decide ──┼──► Prunes to stages and verifier
///                 ▲                       │
///   Verdict ──────┘                       └──► Tokens to the session
///   (from the verifier)

#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"

namespace flowspec {

TreePrunerActor spawn_tree_pruner(caf::actor_system& system);

}  // namespace flowspec
