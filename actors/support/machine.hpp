#pragma once
/// What this process may use of the machine. Containers and limits give it less than the machine
/// has, and the kernel ends, or slows down, a process that relies on the machine's own figures.

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>

namespace flowspec {

/// In bytes: all that this process may ever have, and what it can still get. 0: unknown.
struct MachineMemory {
  std::uint64_t total = 0;
  std::uint64_t free = 0;
};

/// Where limits are looked for.
struct MachineView {
  /// The root that proc/ and the mount points of the control groups are relative to.
  std::filesystem::path root = "/";
  /// Most bytes of address space (RLIMIT_AS).
  std::uint64_t address_space = std::numeric_limits<std::uint64_t>::max();
  /// CPUs that the scheduler lets this process run on.
  unsigned cpus = 1;

  /// The view of this process, at the time of the call.
  static MachineView own();
};

/// The minimum of the machine's memory, the limits (memory.max, memory.high, v1:
/// memory.limit_in_bytes) of the control group and of all its ancestors, and the address space. A
/// group's page cache counts as free, since the kernel reclaims it when memory is needed.
MachineMemory machine_memory(const MachineView& view = MachineView::own());

/// Bytes of memory that this process has, without file pages, which the kernel reclaims when memory
/// is needed. 0: unknown.
std::uint64_t own_memory(const MachineView& view = MachineView::own());

/// How many threads can compute at the same time: the CPUs of the affinity mask, or fewer if
/// control groups give less CPU time (cpu.max, v1: cpu.cfs_quota_us), rounded up. At least 1.
unsigned usable_cores(const MachineView& view = MachineView::own());

/// The machine's name in its network.
std::string machine_name();

}  // namespace flowspec
