#include "runtime/cluster/room_to_start.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "runtime/console/error.hpp"
#include "runtime/console/output.hpp"

namespace flowspec {

namespace {

/// Threads beside the workers: clock, network, stages, verifier, draft, and those that watch over
/// the process.
constexpr unsigned other_threads = 14;
/// Bytes of address space; memory for computing comes on top and has error messages of its own.
constexpr std::size_t memory = std::size_t{192} << 20;

/// Threads that do nothing until the object goes.
class IdleThreads {
 public:
  ~IdleThreads() {
    {
      std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    over_.notify_all();
    for (std::thread& thread : threads_)
      thread.join();
  }

  /// Throws std::system_error and std::bad_alloc.
  void start() {
    threads_.reserve(threads_.size() + 1);
    threads_.emplace_back([this] {
      std::unique_lock lock(mutex_);
      over_.wait(lock, [this] { return is_over_; });
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable over_;
  bool is_over_ = false;
  std::vector<std::thread> threads_;
};

bool can_map(std::size_t size) {
  void* at = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED)
    return false;
  ::munmap(at, size);
  return true;
}

}  // namespace

void prepare_for_limits() {
  rlimit addresses{};
  if (::getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur != RLIM_INFINITY)
    ::mallopt(M_ARENA_MAX, 1);
  std::set_terminate([] {
    try {
      if (std::current_exception())
        throw;
    } catch (const std::bad_alloc&) {
      tell("there is not enough memory (limits: ulimit -v, the cgroup's memory.max)");
      std::_Exit(static_cast<int>(ExitCode::failed));
    } catch (const std::exception& e) {
      tell(e.what());
    } catch (...) {
    }
    std::abort();
  });
}

void require_room_to_start() {
  const unsigned wanted = std::max(4U, std::thread::hardware_concurrency()) + other_threads;
  unsigned started = 0;
  bool has_memory = false;
  try {
    IdleThreads threads;
    for (; started < wanted; ++started)
      threads.start();
    has_memory = can_map(memory);
  } catch (const std::system_error&) {
  } catch (const std::bad_alloc&) {
  }
  if (has_memory)
    return;
  auto lack = started < wanted ? fmt::format("{} threads, of {}", started, wanted)
                               : fmt::format("less than {} MiB of memory", memory >> 20);
  throw RuntimeError(ErrorCode::does_not_fit,
                     fmt::format("the system gives too little to start: {}. Look at the limits: "
                                 "ulimit -u and -v, the cgroup's pids.max.",
                                 lack));
}

}  // namespace flowspec
