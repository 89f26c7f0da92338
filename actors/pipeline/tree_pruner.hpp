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

/// @param direct_prunes  prunes go to the stages at once; else they only go along with segments.
TreePrunerActor spawn_tree_pruner(caf::actor_system& system, bool direct_prunes = true);

}  // namespace flowspec
