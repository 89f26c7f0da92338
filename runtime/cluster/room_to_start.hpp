#pragma once

namespace flowspec {

/// To be called early in main. Where memory is limited (ulimit -v), threads share one heap, since
/// the address space that each thread reserves for a heap of its own would soon use up the limit;
/// and running out of memory on any thread ends the process with a message and code 1.
void prepare_for_limits();

/// Starts as many threads as an actor system will, and takes some memory, then releases all of it.
/// An actor system that gets only some of its threads neither runs nor ends; this throws
/// RuntimeError instead.
void require_room_to_start();

}  // namespace flowspec
