#include "models/base/cores.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <exception>
#include <mutex>
#include <thread>

#include <sched.h>

namespace flowspec::cores {
namespace {

constexpr unsigned most_helpers = 255;

/// Of the calling thread. A helper counts from when it is engaged.
thread_local unsigned uses = 0;

/// Rounds that a helper without work, or a caller whose helper is not ready, waits awake: some 300 us.
constexpr int rounds_awake = 10000;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

unsigned cores_of_process() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0)
    return std::max(1, CPU_COUNT(&set));
  return std::max(1U, std::thread::hardware_concurrency());
}

/// What is shared, on the stack of who shares it.
struct Job {
  Work work;
  unsigned count;
  std::atomic<unsigned> next{0};

  void take_part() {
    for (unsigned i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;)
      work(i);
  }
};

class Helpers;

/// A thread that helps with one job after another. Its job is set by who has taken it out of the idle
/// ones, and becomes null again when the helper has done its part.
struct alignas(64) Helper {
  std::atomic<Job*> job{nullptr};
  /// While it works for `job`: that can't be taken back any more.
  std::atomic<bool> works{false};
};

class Helpers {
 public:
  static Helpers& own() {
    static auto* helpers = new Helpers;  // its threads do not end before the process does
    return *helpers;
  }

  std::atomic<unsigned> budget{cores_of_process()};
  /// Threads that compute: those with a `Use`, and helpers with a job.
  std::atomic<unsigned> busy{0};

  /// Sets a helper to work if a core is free; null if not.
  Helper* engage(Job& job) {
    if (!take_core())
      return nullptr;
    Helper* helper = take_idle();
    if (helper == nullptr) {
      busy.fetch_sub(1, std::memory_order_relaxed);
      return nullptr;
    }
    helper->job.store(&job, std::memory_order_release);
    helper->job.notify_one();
    return helper;
  }

  /// Takes the job back from a helper that has not begun; else waits until it has done its part.
  void release(Helper& helper, Job& job) {
    Job* expected = &job;
    if (helper.job.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel)) {
      busy.fetch_sub(1, std::memory_order_relaxed);
      make_idle(helper);
      return;
    }
    for (int round = 0; helper.works.load(std::memory_order_acquire); ++round)
      if (round < rounds_awake)
        pause();
      else
        std::this_thread::yield();
    make_idle(helper);
  }

 private:
  static constexpr std::size_t words = (most_helpers + 63) / 64;

  bool take_core() {
    auto now = busy.load(std::memory_order_relaxed);
    while (now < budget.load(std::memory_order_relaxed))
      if (busy.compare_exchange_weak(now, now + 1, std::memory_order_relaxed))
        return true;
    return false;
  }

  Helper* take_idle() {
    for (std::size_t word = 0; word < words; ++word)
      for (auto bits = idle_[word].load(std::memory_order_relaxed); bits != 0;) {
        const auto bit = bits & -bits;
        if (idle_[word].compare_exchange_weak(bits, bits & ~bit, std::memory_order_acquire))
          return &helpers_[word * 64 + static_cast<std::size_t>(std::countr_zero(bit))];
      }
    return start_one();
  }

  void make_idle(const Helper& helper) {
    const auto index = static_cast<std::size_t>(&helper - helpers_.data());
    idle_[index / 64].fetch_or(std::uint64_t{1} << index % 64, std::memory_order_release);
  }

  /// One more thread; null where there are enough, or the system has no more.
  Helper* start_one() {
    const std::lock_guard lock(mutex_);
    if (started_ == most_helpers)
      return nullptr;
    Helper& helper = helpers_[started_];
    try {
      std::thread([this, &helper] { run(helper); }).detach();
    } catch (const std::exception&) {
      return nullptr;
    }
    ++started_;
    return &helper;
  }

  [[noreturn]] void run(Helper& helper) {
    uses = 1;
    for (;;) {
      Job* job = wait_for_job(helper);
      helper.works.store(true, std::memory_order_relaxed);
      if (!helper.job.compare_exchange_strong(job, nullptr, std::memory_order_acq_rel)) {
        helper.works.store(false, std::memory_order_release);
        continue;  // taken back
      }
      job->take_part();
      busy.fetch_sub(1, std::memory_order_relaxed);
      helper.works.store(false, std::memory_order_release);
    }
  }

  Job* wait_for_job(Helper& helper) {
    int needed = 0;  // rounds in a row in which others needed the core
    for (int round = 0;; ++round) {
      if (Job* job = helper.job.load(std::memory_order_acquire))
        return job;
      // Who engages this helper takes its core a moment before the job is here.
      needed = busy.load(std::memory_order_relaxed) < budget.load() ? 0 : needed + 1;
      if (round < rounds_awake && needed < 100)
        pause();
      else
        helper.job.wait(nullptr, std::memory_order_acquire);
    }
  }

  std::array<Helper, most_helpers> helpers_;
  std::array<std::atomic<std::uint64_t>, words> idle_{};
  std::mutex mutex_;
  unsigned started_ = 0;
};

}  // namespace

void set_budget(unsigned cores) {
  Helpers::own().budget = std::clamp(cores, 1U, most_helpers + 1);
}

unsigned budget() {
  return Helpers::own().budget;
}

Use::Use() {
  if (uses++ == 0)
    Helpers::own().busy.fetch_add(1, std::memory_order_relaxed);
}

Use::~Use() {
  if (--uses == 0)
    Helpers::own().busy.fetch_sub(1, std::memory_order_relaxed);
}

void share(unsigned threads, unsigned count, Work work) {
  threads = std::min({threads, count, most_helpers + 1});
  if (threads <= 1) {
    for (unsigned i = 0; i < count; ++i)
      work(i);
    return;
  }
  const Use use;
  Helpers& helpers = Helpers::own();
  Job job{work, count};
  std::array<Helper*, most_helpers> engaged;
  unsigned n = 0;
  while (n + 1 < threads && (engaged[n] = helpers.engage(job)) != nullptr)
    ++n;
  job.take_part();
  for (unsigned i = 0; i < n; ++i)
    helpers.release(*engaged[i], job);
}

}  // namespace flowspec::cores
