#pragma once
/// Models that this machine has no weights of: it has the rest from a node that has all.

#include <caf/fwd.hpp>

#include "runtime/run/run_spec.hpp"

namespace flowspec {

/// Whether the run names a model or draft that is no file or folder here, by a plain name, and has nodes
/// that may know it.
bool borrows_models(const RunSpec& spec);

/// Asks the nodes in their order for what is not here, and puts paths in the user's cache, with hashes, in
/// place of the names. No actors stay. Throws RuntimeError, with every node's answer, if
/// none can give it.
void borrow_models(caf::actor_system& system, RunSpec& spec);

}  // namespace flowspec
