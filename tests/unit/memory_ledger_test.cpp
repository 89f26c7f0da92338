/// Memory that is promised once, and given back.

#include "actors/support/memory_ledger.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "actors/support/kv_pool.hpp"
#include "models/base/error.hpp"
#include "models/kv/host_kv_cache.hpp"

using namespace flowspec;

namespace {

constexpr std::uint64_t mib = 1U << 20U;

struct MachineWithRoom {
  std::uint64_t free = 900 * mib;
  /// The program itself is not nothing.
  std::uint64_t own = 50 * mib;
  MemoryLedger ledger{{[this] { return free; }, [this] { return own; }}};

  /// Empty where it fits.
  std::string refusal(std::uint64_t bytes) const {
    try {
      ledger.claim(bytes);
      return {};
    } catch (const ModelError& e) {
      return e.what();
    }
  }

  /// Somebody takes what was promised, or more.
  void take(std::uint64_t bytes) {
    free -= bytes;
    own += bytes;
  }
};

std::unique_ptr<KvCache> make_cache(std::uint32_t slots) {
  return std::make_unique<HostKvCache>(1, 1, 1024, slots);
}

}  // namespace

BOOST_AUTO_TEST_CASE(two_stages_that_fit_one_by_one_are_counted_together) {
  const MachineWithRoom machine;
  auto first = machine.ledger.claim(600 * mib);
  BOOST_TEST(machine.refusal(400 * mib - 1) ==
             "they need 400 MiB of memory, 300 MiB are free beside 600 MiB that others were "
             "promised and have not taken yet");
  BOOST_TEST(machine.refusal(300 * mib) == "");
}

BOOST_AUTO_TEST_CASE(who_ends_gives_back) {
  MachineWithRoom machine;
  auto first = machine.ledger.claim(600 * mib);
  machine.take(100 * mib);
  BOOST_TEST(machine.ledger.promised() == 600 * mib);
  first.reset();
  BOOST_TEST(machine.ledger.promised() == 0U);
  BOOST_TEST(machine.refusal(800 * mib) == "");
}

BOOST_AUTO_TEST_CASE(what_has_been_taken_is_not_counted_twice) {
  MachineWithRoom machine;
  auto first = machine.ledger.claim(600 * mib);
  for (int i = 0; i < 4; ++i) {
    machine.take(150 * mib);
    BOOST_TEST(machine.refusal(300 * mib + 1) != "");
    BOOST_TEST(machine.refusal(300 * mib) == "");
  }
  // As long as the weights are there, so is the claim: KV is promised on top.
  auto second = machine.ledger.claim(100 * mib);
  BOOST_TEST(machine.refusal(200 * mib + 1) != "");
  BOOST_TEST(machine.refusal(200 * mib) == "");
}

BOOST_AUTO_TEST_CASE(more_than_was_promised_is_not_there_either) {
  MachineWithRoom machine;
  auto first = machine.ledger.claim(100 * mib);
  machine.take(200 * mib);
  BOOST_TEST(machine.refusal(700 * mib + 1) == "they need 701 MiB of memory, 700 MiB are free");
  BOOST_TEST(machine.refusal(700 * mib) == "");
}

BOOST_AUTO_TEST_CASE(what_the_program_had_before_is_nobodys_claim) {
  MachineWithRoom machine;
  machine.own = 700 * mib;
  auto first = machine.ledger.claim(600 * mib);
  BOOST_TEST(machine.refusal(300 * mib + 1) != "");
}

BOOST_AUTO_TEST_CASE(copies_are_one_ledger) {
  const MachineWithRoom machine;
  const MemoryLedger copy = machine.ledger;
  auto first = copy.claim(600 * mib);
  BOOST_TEST(machine.refusal(301 * mib) != "");
}

BOOST_AUTO_TEST_CASE(a_pool_claims_the_memory_of_its_slots_in_steps_ahead_of_them) {
  const MachineWithRoom machine;  // 900 MiB
  constexpr std::uint32_t slot = 8192;
  KvPool pool({.memory = machine.ledger}, slot, make_cache);
  BOOST_TEST(pool.capacity() == 900 * mib / slot);
  BOOST_TEST(machine.ledger.promised() == 0U);
  BOOST_TEST(!pool.slots()->take().has_value());
  pool.reserve(65536);
  BOOST_TEST(machine.ledger.promised() == 512 * mib);
  auto others = machine.ledger.claim(388 * mib);
  auto taken = *pool.slots()->take();
  BOOST_CHECK_THROW(pool.reserve(65536), ModelError);  // one more than is claimed
  pool.released();
  BOOST_TEST(machine.ledger.promised() == 900 * mib);
  pool.slots()->release(taken);
  pool.released();
  BOOST_TEST(machine.ledger.promised() == 388 * mib);
  BOOST_TEST(!pool.slots()->take().has_value());
}

BOOST_AUTO_TEST_CASE(a_pool_says_with_figures_what_it_has_no_room_for) {
  KvPool pool({.slots = 1000}, 2 * 1024 * 1024, make_cache);
  pool.reserve(400);
  pool.slots()->take();
  try {
    pool.reserve(1000);
    BOOST_ERROR("it has room");
  } catch (const ModelError& e) {
    BOOST_TEST(
        std::string(e.what()) ==
        "2000 MiB of KV are needed for 1000 positions; 2 of 2000 MiB are taken, and 1 of 1000 "
        "slots");
  }
}

BOOST_AUTO_TEST_CASE(a_pool_is_smaller_where_the_system_gives_no_address_space) {
  auto make = [](std::uint32_t slots) {
    if (slots > 3000)
      throw std::bad_alloc();
    return make_cache(slots);
  };
  BOOST_TEST(KvPool({.slots = 10000}, 8192, make).capacity() == 2500U);
}

BOOST_AUTO_TEST_CASE(a_pool_is_as_large_as_its_budget_says) {
  BOOST_TEST(KvPool({.bytes = 100 * 8192}, 8192, make_cache).capacity() == 100U);
  BOOST_TEST(KvPool({.slots = 50, .bytes = 100 * 8192}, 8192, make_cache).capacity() == 50U);
  const MachineWithRoom machine;
  BOOST_TEST(KvPool({.memory = machine.ledger, .pools = 4}, 8192, make_cache).capacity() ==
             900 * mib / 4 / 8192);
}

BOOST_AUTO_TEST_CASE(memory_that_others_take_is_not_promised) {
  MachineWithRoom machine;
  machine.free = 200 * mib;
  BOOST_TEST(machine.refusal(201 * mib) == "they need 201 MiB of memory, 200 MiB are free");
  BOOST_TEST(machine.refusal(200 * mib) == "");
}

BOOST_AUTO_TEST_CASE(nothing_is_refused_where_nothing_is_known) {
  MachineWithRoom machine;
  machine.free = 0;
  BOOST_TEST(machine.refusal(std::uint64_t{1} << 50U) == "");
}

BOOST_AUTO_TEST_CASE(what_is_kept_without_need_is_given_back_before_a_claim_is_refused) {
  const MachineWithRoom machine;
  std::vector<std::shared_ptr<MemoryLedger::Claim>> kept;
  for (int i = 0; i < 3; ++i)
    kept.push_back(machine.ledger.claim(300 * mib));
  int asked = 0;
  machine.ledger.on_need([&] {
    ++asked;
    if (kept.empty())
      return false;
    kept.pop_back();
    return true;
  });
  // No more than is needed.
  auto used = machine.ledger.claim(500 * mib);
  BOOST_TEST(asked == 2);
  BOOST_TEST(kept.size() == 1U);
  BOOST_TEST(machine.refusal(500 * mib) ==
             "they need 500 MiB of memory, 400 MiB are free beside 500 MiB that others were "
             "promised and have not taken yet");
  BOOST_TEST(kept.empty());
}

BOOST_AUTO_TEST_CASE(a_promise_may_outlive_the_ledger) {
  std::optional<MachineWithRoom> machine(std::in_place);
  auto claim = machine->ledger.claim(mib);
  machine.reset();
  BOOST_TEST(claim.use_count() == 1);
  claim.reset();
}

BOOST_AUTO_TEST_CASE(the_machine_itself_has_room_for_little_and_not_for_everything) {
  const MemoryLedger ledger;
  BOOST_CHECK_NO_THROW(ledger.claim(1));
  BOOST_CHECK_THROW(ledger.claim(std::uint64_t{1} << 60U), ModelError);
}
