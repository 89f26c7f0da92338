#include "actors/support/machine.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace flowspec {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

/// Nothing for "max", "-1" and any other word that is not a number.
std::optional<std::uint64_t> number(std::string_view word) {
  std::uint64_t value = 0;
  auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || stop != word.data() + word.size())
    return std::nullopt;
  return value;
}

/// The n-th word of a file that holds one line.
std::optional<std::uint64_t> read_number(const fs::path& file, int n = 0) {
  std::ifstream in(file);
  std::string word;
  for (int i = 0; i <= n; ++i)
    if (!(in >> word))
      return std::nullopt;
  return number(word);
}

/// Sum of the lines "KEY VALUE" with one of these keys.
std::uint64_t sum_of(const fs::path& file, std::initializer_list<std::string_view> keys) {
  std::ifstream in(file);
  std::uint64_t sum = 0;
  std::string key;
  std::string value;
  while (in >> key >> value)
    if (std::ranges::find(keys, key) != keys.end())
      sum += number(value).value_or(0);
  return sum;
}

std::vector<std::string> split(const std::string& text, char delimiter) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, delimiter);)
    parts.push_back(part);
  return parts;
}

/// Decodes mountinfo, which writes spaces and the like as a backslash and three octal digits.
fs::path unescaped(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    auto* begin = text.data() + i + 1;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(begin, begin + 3, code, 8).ptr == begin + 3) {
      result += static_cast<char>(code);
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

enum class Version { v1, v2 };

/// The folders of the control groups of a process, from the innermost outwards.
struct Groups {
  Version version;
  std::vector<fs::path> folders;
};

/// A line of /proc/self/mountinfo: only the fields used here.
struct Mount {
  fs::path root;
  fs::path point;
  std::string type;
  std::vector<std::string> options;
};

std::vector<Mount> read_mounts(const fs::path& file) {
  std::vector<Mount> mounts;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    auto words = split(line, ' ');
    auto dash = std::ranges::find(words, "-");
    if (dash - words.begin() < 6 || words.end() - dash < 4)
      continue;
    mounts.push_back({unescaped(words[3]), unescaped(words[4]), dash[1], split(dash[3], ',')});
  }
  return mounts;
}

/// The process's group in the hierarchy of `controller`; if empty, in the unified hierarchy.
std::optional<fs::path> own_group(const fs::path& file, std::string_view controller) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    auto first = line.find(':');
    auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos)
      continue;
    auto names = split(line.substr(first + 1, second - first - 1), ',');
    if (controller.empty() ? names.empty() : std::ranges::find(names, controller) != names.end())
      return line.substr(second + 1);
  }
  return std::nullopt;
}

std::vector<fs::path> folders_between(const fs::path& mount_point, const fs::path& below) {
  std::vector<fs::path> folders{mount_point};
  for (const fs::path& part : below)
    if (!part.empty() && part != ".")
      folders.push_back(folders.back() / part);
  std::ranges::reverse(folders);
  return folders;
}

std::vector<Groups> groups_with(const MachineView& view, std::string_view controller) {
  std::vector<Groups> all;
  for (const Mount& mount : read_mounts(view.root / "proc/self/mountinfo")) {
    auto unified = mount.type == "cgroup2";
    if (!unified && (mount.type != "cgroup" ||
                     std::ranges::find(mount.options, controller) == mount.options.end()))
      continue;
    auto group = own_group(view.root / "proc/self/cgroup", unified ? "" : controller);
    if (!group)
      continue;
    // A container may see its group's path as it is outside, but have only the group itself
    // mounted.
    auto below = group->lexically_relative(mount.root);
    if (below.empty() || *below.begin() == "..")
      below = ".";
    all.push_back({unified ? Version::v2 : Version::v1,
                   folders_between(view.root / mount.point.relative_path(), below)});
  }
  return all;
}

void limit(MachineMemory& memory, std::uint64_t most, std::uint64_t used) {
  memory.total = std::min(memory.total, most);
  memory.free = std::min(memory.free, most - std::min(most, used));
}

void limit_by_group(MachineMemory& memory, Version version, const fs::path& folder) {
  auto v2 = version == Version::v2;
  auto most = read_number(folder / (v2 ? "memory.max" : "memory.limit_in_bytes"));
  if (auto high = v2 ? read_number(folder / "memory.high") : std::nullopt)
    most = std::min(*high, most.value_or(unlimited));
  // Of groups around it that a container does not see.
  if (auto outer = v2 ? 0 : sum_of(folder / "memory.stat", {"hierarchical_memory_limit"});
      outer > 0)
    most = std::min(outer, most.value_or(unlimited));
  auto used = read_number(folder / (v2 ? "memory.current" : "memory.usage_in_bytes"));
  if (!most || !used)
    return;
  auto cache = v2 ? sum_of(folder / "memory.stat", {"inactive_file", "active_file"})
                  : sum_of(folder / "memory.stat", {"total_inactive_file", "total_active_file"});
  limit(memory, *most, *used - std::min(*used, cache));
}

MachineMemory physical_memory(const fs::path& file) {
  MachineMemory memory{unlimited, unlimited};
  std::ifstream in(file);
  std::string key;
  std::string unit;
  std::uint64_t kib = 0;
  while (in >> key >> kib && std::getline(in, unit)) {
    if (key == "MemTotal:")
      memory.total = kib << 10U;
    if (key == "MemAvailable:")
      memory.free = kib << 10U;
  }
  return memory;
}

unsigned affinity() {
  // As many bits as any kernel is built for.
  constexpr int most_cpus = 1 << 16;
  auto size = CPU_ALLOC_SIZE(most_cpus);
  auto* set = CPU_ALLOC(most_cpus);
  auto count =
      set != nullptr && ::sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
  CPU_FREE(set);
  return count > 0 ? static_cast<unsigned>(count)
                   : std::max(1U, std::thread::hardware_concurrency());
}

/// CPU time in CPUs, rounded up.
std::optional<std::uint64_t> quota(Version version, const fs::path& folder) {
  auto v2 = version == Version::v2;
  auto time = read_number(folder / (v2 ? "cpu.max" : "cpu.cfs_quota_us"));
  auto period = v2 ? read_number(folder / "cpu.max", 1) : read_number(folder / "cpu.cfs_period_us");
  if (!time || !period || *period == 0)
    return std::nullopt;
  return *time / *period + (*time % *period != 0 ? 1 : 0);
}

}  // namespace

MachineView MachineView::own() {
  MachineView view;
  rlimit most{};
  if (::getrlimit(RLIMIT_AS, &most) == 0 && most.rlim_cur != RLIM_INFINITY)
    view.address_space = most.rlim_cur;
  view.cpus = affinity();
  return view;
}

MachineMemory machine_memory(const MachineView& view) {
  auto memory = physical_memory(view.root / "proc/meminfo");
  for (const Groups& groups : groups_with(view, "memory"))
    for (const fs::path& folder : groups.folders)
      limit_by_group(memory, groups.version, folder);
  if (view.address_space != unlimited) {
    auto pages = read_number(view.root / "proc/self/statm").value_or(0);
    limit(memory, view.address_space, pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  }
  if (memory.total == unlimited)
    memory.total = 0;
  if (memory.free == unlimited)
    memory.free = 0;
  return memory;
}

std::uint64_t own_memory(const MachineView& view) {
  auto resident = read_number(view.root / "proc/self/statm", 1).value_or(0);
  auto of_files = read_number(view.root / "proc/self/statm", 2).value_or(0);
  return (resident - std::min(resident, of_files)) *
         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

unsigned usable_cores(const MachineView& view) {
  std::uint64_t cores = view.cpus;
  for (const Groups& groups : groups_with(view, "cpu"))
    for (const fs::path& folder : groups.folders)
      cores = std::min(cores, quota(groups.version, folder).value_or(cores));
  return static_cast<unsigned>(std::max<std::uint64_t>(1, cores));
}

std::string machine_name() {
  utsname names{};
  return ::uname(&names) == 0 ? names.nodename : "node";
}

}  // namespace flowspec
