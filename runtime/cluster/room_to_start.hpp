#pragma once

namespace flowspec {

/// Early in main: where memory is limited (ulimit -v), threads share one heap, as the addresses
/// that each reserves for its own would soon be all there are; and memory that runs out on any
/// thread ends the process with a message and code 1.
void prepare_for_limits();

/// Starts as many threads as an actor system will, and takes some memory, and gives all of it back.
/// An actor system that gets only some of its threads neither runs nor ends; this throws
/// RuntimeError instead.
void require_room_to_start();

}  // namespace flowspec
