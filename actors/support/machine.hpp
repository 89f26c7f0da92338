#pragma once
/// What this process may use of the machine. Containers and limits give it less than the machine
/// has, and the kernel ends, or slows down, who goes by the machine's own figures.

#include <cstdint>
#include <filesystem>
#include <limits>

namespace flowspec {

/// In bytes: all that this process may ever have, and what it can still get. 0 where unknown.
struct MachineMemory {
  std::uint64_t total = 0;
  std::uint64_t free = 0;
};

/// Where limits are looked for.
struct MachineView {
  /// What proc/ and the control groups' mount points are below.
  std::filesystem::path root = "/";
  /// Most bytes of address space (RLIMIT_AS).
  std::uint64_t address_space = std::numeric_limits<std::uint64_t>::max();
  /// CPUs that the scheduler lets this process run on.
  unsigned cpus = 1;

  /// Of this process, as things are now.
  static MachineView own();
};

/// The least of: the machine's memory, the limits (memory.max, memory.high, v1:
/// memory.limit_in_bytes) of the control group and of all groups that it is in, and the address
/// space. What is in a group's page cache counts as free, since the kernel takes it back when
/// memory is wanted.
MachineMemory machine_memory(const MachineView& view = MachineView::own());

/// Bytes of memory that this process has, without pages of files, which the kernel takes back when
/// memory is wanted. 0 where unknown.
std::uint64_t own_memory(const MachineView& view = MachineView::own());

/// How many threads can compute at a time: CPUs of the affinity mask, or fewer where control groups
/// give less time than that (cpu.max, v1: cpu.cfs_quota_us), rounded up. At least 1.
unsigned usable_cores(const MachineView& view = MachineView::own());

}  // namespace flowspec
