/// Memory that is promised once, and given back.

#include "actors/support/memory_ledger.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "actors/pipeline/reserving_draft.hpp"
#include "models/base/error.hpp"

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

/// A draft model that guesses nothing.
class CacheOnly : public DraftModel {
 public:
  std::uint32_t feature_size() const override { return 0; }
  KvCache make_cache(std::uint32_t slots) const override { return {1, 1, 1024, slots}; }
  std::uint32_t max_rows() const override { return 1; }
  void forward(std::span<const DraftRow>, std::span<const float>, std::uint32_t,
               std::span<Candidate>, std::span<float>) override {}
};

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

BOOST_AUTO_TEST_CASE(a_draft_reserves_the_kv_of_its_sessions_while_they_live) {
  const MachineWithRoom machine;
  const ReservingDraft draft(std::make_unique<CacheOnly>(), machine.ledger);
  const auto bytes = KvCache::bytes_for(1, 1, 1024, 65536);  // 512 MiB
  std::optional<KvCache> first = draft.make_cache(65536);
  BOOST_TEST(first->bytes() == bytes);
  BOOST_TEST(machine.ledger.promised() == bytes);
  BOOST_CHECK_THROW(draft.make_cache(65536), ModelError);
  // Wherever the cache is put.
  std::optional<KvCache> moved = std::move(*first);
  first.reset();
  BOOST_TEST(machine.ledger.promised() == bytes);
  moved.reset();
  BOOST_TEST(machine.ledger.promised() == 0U);
  BOOST_CHECK_NO_THROW(draft.make_cache(65536));
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
