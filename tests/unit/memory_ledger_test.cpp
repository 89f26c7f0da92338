/// Memory that is promised once, and given back.

#include "actors/cluster/memory_ledger.hpp"

#include <optional>
#include <string>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"

using namespace flowspec;

namespace {

constexpr std::uint64_t mib = 1U << 20U;

struct MachineWithRoom {
  std::uint64_t free = 900 * mib;
  MemoryLedger ledger{[this] { return free; }};

  /// Empty where it fits.
  std::string refusal(std::uint64_t bytes) const {
    try {
      ledger.claim(bytes);
      return {};
    } catch (const ModelError& e) {
      return e.what();
    }
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(two_stages_that_fit_one_by_one_are_counted_together) {
  const MachineWithRoom machine;
  auto first = machine.ledger.claim(600 * mib);
  BOOST_TEST(machine.refusal(400 * mib - 1) ==
             "they need 400 MiB of memory, 300 MiB are free beside 600 MiB for what is being "
             "loaded");
  BOOST_TEST(machine.refusal(300 * mib) == "");
}

BOOST_AUTO_TEST_CASE(who_ends_before_it_is_loaded_gives_back) {
  const MachineWithRoom machine;
  auto first = machine.ledger.claim(600 * mib);
  first->take(100 * mib);
  BOOST_TEST(machine.ledger.promised() == 500 * mib);
  first.reset();
  BOOST_TEST(machine.ledger.promised() == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_loaded_is_not_counted_twice) {
  MachineWithRoom machine;
  auto first = machine.ledger.claim(600 * mib);
  for (int i = 0; i < 4; ++i) {
    machine.free -= 150 * mib;
    first->take(150 * mib);
    BOOST_TEST(machine.refusal(300 * mib + 1) != "");
    BOOST_TEST(machine.refusal(300 * mib) == "");
  }
  // More than was said is not taken from others' promises.
  auto second = machine.ledger.claim(100 * mib);
  first->take(50 * mib);
  BOOST_TEST(machine.ledger.promised() == 100 * mib);
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

BOOST_AUTO_TEST_CASE(a_promise_may_outlive_the_ledger) {
  std::optional<MachineWithRoom> machine(std::in_place);
  auto claim = machine->ledger.claim(mib);
  machine.reset();
  claim->take(mib);
  BOOST_TEST(claim.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(the_machine_itself_has_room_for_little_and_not_for_everything) {
  const MemoryLedger ledger;
  BOOST_CHECK_NO_THROW(ledger.claim(1));
  BOOST_CHECK_THROW(ledger.claim(std::uint64_t{1} << 60U), ModelError);
}
