#include "runtime/http/descriptors.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>

#include <sys/resource.h>

namespace flowspec {

namespace {

/// For files, logs, connections of other parts, and those that are told that there is no room.
constexpr std::size_t reserved = 192;

std::size_t open_descriptors() {
  std::error_code error;
  std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (error)
    return 0;
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

}  // namespace

std::size_t room_for_connections(std::size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return wanted;
  auto kept = reserved + open_descriptors();
  if (limit.rlim_cur < wanted + kept) {
    auto more = limit;
    more.rlim_cur = std::min<rlim_t>(wanted + kept, limit.rlim_max);
    if (::setrlimit(RLIMIT_NOFILE, &more) == 0)
      limit = more;
  }
  auto room = limit.rlim_cur > kept ? static_cast<std::size_t>(limit.rlim_cur) - kept : 1;
  return std::min(room, wanted);
}

}  // namespace flowspec
