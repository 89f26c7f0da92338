#pragma once

namespace flowspec {

/// Where an actor runs that computes. Detached actors have a thread of their own, as long
/// computations must; pooled ones are for the deterministic scheduler of the tests, which a thread
/// of its own would escape.
enum class SpawnMode { detached, pooled };

}  // namespace flowspec
