/// What a process may use of the machine, in trees of files as kernels and container programs make
/// them.

#include "actors/support/machine.hpp"

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <sched.h>
#include <unistd.h>

#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20U;

std::string mebibytes(std::uint64_t count) {
  return std::to_string(count * mib) + "\n";
}

/// A machine of 16 GiB, 8 of them free, with 12 CPUs.
struct Machine {
  Machine() {
    write("proc/meminfo",
          "MemTotal:       16777216 kB\nMemFree:         1048576 kB\nMemAvailable:    8388608 kB\n"
          "HugePages_Total:       0\n");
    write("proc/self/statm", "1000 500 100 10 0 300 0\n");
    view.root = folder.path();
    view.cpus = 12;
  }

  void write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((folder / file).parent_path());
    std::ofstream(folder / file) << text;
  }

  /// The unified hierarchy, of which `root` is mounted.
  void use_v2(const std::string& group, const std::string& root = "/") const {
    write("proc/self/mountinfo",
          "22 28 0:21 / /proc rw,relatime shared:12 - proc proc rw\n"
          "30 23 0:26 " +
              root + " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
    write("proc/self/cgroup", "0::" + group + "\n");
  }

  /// Hierarchies of their own for memory and CPU time.
  void use_v1(const std::string& group, const std::string& root = "/") const {
    write("proc/self/mountinfo",
          "31 30 0:27 " + root + " /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n" +
              "32 30 0:28 " + root +
              " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
              "33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    write("proc/self/cgroup",
          "9:cpu,cpuacct:" + group + "\n4:memory:" + group + "\n1:name=systemd:/x\n0::/x\n");
  }

  std::uint64_t total() const { return machine_memory(view).total / mib; }
  std::uint64_t free() const { return machine_memory(view).free / mib; }

  TempFolder folder;
  MachineView view;
};

}  // namespace

BOOST_AUTO_TEST_CASE(without_control_groups_the_machine_counts) {
  Machine machine;
  BOOST_TEST(machine.total() == 16384);
  BOOST_TEST(machine.free() == 8192);
  BOOST_TEST(usable_cores(machine.view) == 12);
}

BOOST_AUTO_TEST_CASE(a_group_without_limits_takes_nothing) {
  Machine machine;
  machine.use_v2("/user.slice");
  machine.write("sys/fs/cgroup/user.slice/memory.max", "max\n");
  machine.write("sys/fs/cgroup/user.slice/memory.high", "max\n");
  machine.write("sys/fs/cgroup/user.slice/memory.current", mebibytes(100));
  machine.write("sys/fs/cgroup/user.slice/cpu.max", "max 100000\n");
  BOOST_TEST(machine.total() == 16384);
  BOOST_TEST(machine.free() == 8192);
  BOOST_TEST(usable_cores(machine.view) == 12);
}

BOOST_AUTO_TEST_CASE(a_group_limits_memory_and_time) {
  Machine machine;
  machine.use_v2("/box");
  machine.write("sys/fs/cgroup/box/memory.max", mebibytes(400));
  machine.write("sys/fs/cgroup/box/memory.current", mebibytes(150));
  machine.write("sys/fs/cgroup/box/cpu.max", "50000 100000\n");
  BOOST_TEST(machine.total() == 400);
  BOOST_TEST(machine.free() == 250);
  BOOST_TEST(usable_cores(machine.view) == 1);
  machine.write("sys/fs/cgroup/box/cpu.max", "250000 100000\n");
  BOOST_TEST(usable_cores(machine.view) == 3);
  machine.write("sys/fs/cgroup/box/memory.high", mebibytes(300));
  BOOST_TEST(machine.total() == 300);
  BOOST_TEST(machine.free() == 150);
  machine.write("sys/fs/cgroup/box/memory.current", mebibytes(301));
  BOOST_TEST(machine.free() == 0);
}

BOOST_AUTO_TEST_CASE(the_page_cache_of_a_group_can_be_had) {
  Machine machine;
  machine.use_v2("/box");
  machine.write("sys/fs/cgroup/box/memory.max", mebibytes(400));
  machine.write("sys/fs/cgroup/box/memory.current", mebibytes(390));
  machine.write("sys/fs/cgroup/box/memory.stat", "anon 1048576\nfile 400000000\ninactive_file " +
                                                     mebibytes(100) + "active_file " +
                                                     mebibytes(200) + "inactive_anon 1048576\n");
  BOOST_TEST(machine.free() == 310);
}

BOOST_AUTO_TEST_CASE(groups_around_the_own_one_limit_as_well) {
  Machine machine;
  machine.use_v2("/a/b/c");
  machine.write("sys/fs/cgroup/a/memory.max", mebibytes(500));
  machine.write("sys/fs/cgroup/a/memory.current", mebibytes(450));
  machine.write("sys/fs/cgroup/a/cpu.max", "400000 100000\n");
  machine.write("sys/fs/cgroup/a/b/c/memory.max", mebibytes(200));
  machine.write("sys/fs/cgroup/a/b/c/memory.current", mebibytes(10));
  machine.write("sys/fs/cgroup/a/b/c/cpu.max", "700000 100000\n");
  BOOST_TEST(machine.total() == 200);
  BOOST_TEST(machine.free() == 50);
  BOOST_TEST(usable_cores(machine.view) == 4);
}

BOOST_AUTO_TEST_CASE(a_container_sees_its_own_group_as_the_mount_point) {
  // With a namespace for control groups, without one, and with a group outside of the namespace.
  for (const auto& [group, root] :
       {std::pair{"/", "/"}, std::pair{"/docker/1f", "/docker/1f"}, std::pair{"/../other", "/"}}) {
    Machine machine;
    machine.use_v2(group, root);
    machine.write("sys/fs/cgroup/memory.max", mebibytes(400));
    machine.write("sys/fs/cgroup/memory.current", mebibytes(100));
    machine.write("sys/fs/cgroup/cpu.max", "200000 100000\n");
    // Where the path of a group outside would lead to.
    machine.write("sys/fs/other/memory.max", mebibytes(7));
    machine.write("sys/fs/other/memory.current", mebibytes(0));
    machine.write("sys/fs/other/cpu.max", "100000 100000\n");
    BOOST_TEST_CONTEXT(group) {
      BOOST_TEST(machine.free() == 300);
      BOOST_TEST(usable_cores(machine.view) == 2);
    }
  }
}

BOOST_AUTO_TEST_CASE(version_1_limits_too) {
  Machine machine;
  machine.use_v1("/docker/1f", "/docker/1f");
  machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", mebibytes(400));
  machine.write("sys/fs/cgroup/memory/memory.usage_in_bytes", mebibytes(300));
  machine.write("sys/fs/cgroup/memory/memory.stat",
                "inactive_file 0\ntotal_inactive_file " + mebibytes(200));
  machine.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "150000\n");
  machine.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  BOOST_TEST(machine.total() == 400);
  BOOST_TEST(machine.free() == 300);
  BOOST_TEST(usable_cores(machine.view) == 2);
  machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  machine.write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  BOOST_TEST(machine.total() == 16384);
  BOOST_TEST(machine.free() == 8192);
  BOOST_TEST(usable_cores(machine.view) == 12);
}

BOOST_AUTO_TEST_CASE(version_1_tells_of_limits_around_a_container) {
  Machine machine;
  machine.use_v1("/pod/abc", "/pod/abc");
  machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  machine.write("sys/fs/cgroup/memory/memory.usage_in_bytes", mebibytes(100));
  machine.write("sys/fs/cgroup/memory/memory.stat", "cache 0\nhierarchical_memory_limit " +
                                                        mebibytes(3000) + "total_inactive_file " +
                                                        mebibytes(20) + "total_active_file 0\n");
  BOOST_TEST(machine.total() == 3000);
  BOOST_TEST(machine.free() == 2920);
}

BOOST_AUTO_TEST_CASE(mount_points_may_have_spaces) {
  Machine machine;
  machine.write("proc/self/mountinfo",
                "30 23 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\nnonsense\n");
  machine.write("proc/self/cgroup", "0::/\n");
  machine.write("my groups/memory.max", mebibytes(7));
  machine.write("my groups/memory.current", "0\n");
  BOOST_TEST(machine.total() == 7);
}

BOOST_AUTO_TEST_CASE(address_space_is_memory) {
  Machine machine;
  machine.view.address_space = 100 * mib;
  auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  BOOST_TEST(machine_memory(machine.view).total == 100 * mib);
  BOOST_TEST(machine_memory(machine.view).free == 100 * mib - 1000 * page);
}

BOOST_AUTO_TEST_CASE(pages_of_files_are_not_the_processs_own) {
  Machine machine;
  auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  BOOST_TEST(own_memory(machine.view) == 400 * page);
  constexpr std::size_t size = 32 * mib;
  auto before = own_memory();
  const std::vector<char> taken(size, 1);
  BOOST_TEST(own_memory() >= before + size - mib);
  BOOST_TEST(own_memory() <= before + size + mib);
}

BOOST_AUTO_TEST_CASE(nothing_known_is_0_and_one_core) {
  TempFolder empty;
  MachineView view{.root = empty.path()};
  BOOST_TEST(machine_memory(view).total == 0);
  BOOST_TEST(machine_memory(view).free == 0);
  BOOST_TEST(own_memory(view) == 0);
  BOOST_TEST(usable_cores(view) == 1);
}

BOOST_AUTO_TEST_CASE(this_process_goes_by_its_affinity) {
  cpu_set_t before;
  BOOST_REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  BOOST_TEST(usable_cores() <= static_cast<unsigned>(CPU_COUNT(&before)));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu)
    if (CPU_ISSET(cpu, &before))
      CPU_SET(cpu, &one);
  BOOST_REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
  BOOST_TEST(MachineView::own().cpus == 1);
  BOOST_TEST(usable_cores() == 1);
  BOOST_REQUIRE(::sched_setaffinity(0, sizeof before, &before) == 0);
  BOOST_TEST(machine_memory().free > 0);
  BOOST_TEST(machine_memory().free <= machine_memory().total);
}
