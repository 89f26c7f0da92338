#pragma once

namespace flowspec {

/// Where an actor that computes runs. A detached actor has a thread of its own, which long
/// computations need; pooled is for the deterministic scheduler of the tests, which does not
/// control detached actors.
enum class SpawnMode { detached, pooled };

}  // namespace flowspec
