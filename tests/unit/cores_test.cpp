/// One budget of cores for all that computes in a process.

#include "models/base/cores.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

namespace cores = flowspec::cores;

namespace {

/// A budget for one test.
class Budget {
 public:
  explicit Budget(unsigned cores) : before_(cores::budget()) { cores::set_budget(cores); }
  ~Budget() { cores::set_budget(before_); }
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

 private:
  unsigned before_;
};

/// Shares work of which no part ends before `wanted` threads have begun one, or the given number of
/// turns is over; says which threads took part.
std::set<std::thread::id> who_takes_part(unsigned count, std::size_t wanted) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  cores::share(count, count, [&](unsigned) {
    for (int turn = 0; turn < 100'000; ++turn) {
      {
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
        if (threads.size() >= wanted)
          return;
      }
      std::this_thread::yield();
    }
  });
  return threads;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cores_of_a_process)

BOOST_AUTO_TEST_CASE(every_part_is_done_once) {
  const Budget budget(4);
  for (unsigned count : {0U, 1U, 2U, 3U, 64U, 1000U}) {
    std::vector<int> done(count, 0);
    cores::share(count, count, [&](unsigned i) { ++done[i]; });
    BOOST_TEST((std::ranges::count(done, 1) == static_cast<std::ptrdiff_t>(count)));
  }
}

BOOST_AUTO_TEST_CASE(free_cores_help) {
  const Budget budget(3);
  BOOST_TEST(who_takes_part(8, 3).size() == 3U);
  BOOST_TEST(who_takes_part(2, 2).size() == 2U);
}

BOOST_AUTO_TEST_CASE(no_more_threads_take_part_than_are_asked_for) {
  const Budget budget(4);
  std::set<std::thread::id> alone;
  cores::share(1, 64, [&](unsigned) { alone.insert(std::this_thread::get_id()); });
  BOOST_TEST(alone == std::set{std::this_thread::get_id()});
  std::atomic<unsigned> now{0};
  std::atomic<unsigned> most{0};
  for (int i = 0; i < 100; ++i)
    cores::share(2, 16, [&](unsigned) {
      const unsigned here = ++now;
      for (unsigned seen = most; here > seen && !most.compare_exchange_weak(seen, here);) {
      }
      std::this_thread::yield();
      --now;
    });
  BOOST_TEST(most <= 2U);
}

BOOST_AUTO_TEST_CASE(with_a_budget_of_one_nobody_helps) {
  const Budget budget(1);
  BOOST_TEST(who_takes_part(4, 1) == std::set{std::this_thread::get_id()});
}

BOOST_AUTO_TEST_CASE(a_core_that_another_thread_computes_with_is_not_free) {
  const Budget budget(2);
  std::atomic<bool> computes{false};
  std::atomic<bool> ends{false};
  std::thread other([&] {
    const cores::Use use;
    computes = true;
    computes.notify_one();
    ends.wait(false);
  });
  computes.wait(false);
  std::atomic<int> elsewhere{0};
  for (int i = 0; i < 100; ++i)
    cores::share(4, 4, [&, self = std::this_thread::get_id()](unsigned) {
      elsewhere += std::this_thread::get_id() != self ? 1 : 0;
    });
  BOOST_TEST(elsewhere == 0);
  ends = true;
  ends.notify_one();
  other.join();
  BOOST_TEST(who_takes_part(4, 2).size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_use_within_a_use_takes_one_core) {
  const Budget budget(2);
  const cores::Use outer;
  const cores::Use inner;
  BOOST_TEST(who_takes_part(4, 2).size() == 2U);
}

BOOST_AUTO_TEST_CASE(work_may_share_its_own_parts) {
  const Budget budget(3);
  std::atomic<unsigned> sum{0};
  cores::share(5, 5,
               [&](unsigned i) { cores::share(4, 4, [&](unsigned j) { sum += 10 * i + j; }); });
  BOOST_TEST(sum == 4U * 10 * (0 + 1 + 2 + 3 + 4) + 5U * (0 + 1 + 2 + 3));
}

BOOST_AUTO_TEST_CASE(many_threads_share_at_once_while_the_budget_changes) {
  const Budget budget(4);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (unsigned caller = 0; caller < 6; ++caller)
    callers.emplace_back([&wrong, caller] {
      for (unsigned round = 0; round < 3000; ++round) {
        std::vector<unsigned> parts(2 + (round + caller) % 5);
        cores::share(4, static_cast<unsigned>(parts.size()),
                     [&](unsigned i) { parts[i] = round + i; });
        for (unsigned i = 0; i < parts.size(); ++i)
          wrong += parts[i] == round + i ? 0 : 1;
        if (caller == 0)
          cores::set_budget(1 + round % 7);
      }
    });
  for (auto& caller : callers)
    caller.join();
  BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_SUITE_END()
