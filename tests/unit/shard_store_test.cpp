/// Weights in the memory of a node: loaded once, kept for a while, given back when they are in the
/// way.

#include "actors/cluster/shard_store.hpp"

#include <atomic>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/base/error.hpp"
#include "models/formats/gguf.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace flowspec;
using namespace flowspec::test;
using std::chrono::minutes;

namespace {

constexpr std::uint64_t mib = 1U << 20U;
constexpr minutes keep{10};

/// A store on a machine with 100 MiB, whose time the test sets.
struct World {
  World() { write_llama_gguf(folder / "m.gguf", {}, {}, 1); }

  ShardStore::Load load() {
    return [this] {
      ++loads;
      const GgufFile file = GgufFile::open(folder / "m.gguf");
      return std::make_shared<const Shard>(file, read_config(file), ShardOptions{{0, 1}});
    };
  }

  static ShardKey key(const std::string& model) { return {model, {0, 1}, LinearForm::packed, 0}; }

  /// Somebody uses it, and ends.
  void use(const std::string& model, std::uint64_t bytes) {
    store.share(key(model), bytes)
        ->get(
            load(), [] {});
  }

  bool has(const std::string& model) { return store.find(key(model)) != nullptr; }

  std::string refusal(std::uint64_t bytes) const {
    try {
      ledger.claim(bytes);
      return {};
    } catch (const ModelError& e) {
      return e.what();
    }
  }

  TempFolder folder;
  std::atomic<int> loads = 0;
  std::atomic<minutes> time = minutes(0);
  MemoryLedger ledger{{[] { return 100 * mib; }, [] { return 10 * mib; }}};
  ShardStore store{ledger, keep, [this] { return ShardStore::Clock::time_point(time.load()); }};
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_shard_is_loaded_once_for_all_who_want_it) {
  World world;
  std::atomic<const Shard*> seen = nullptr;
  std::atomic<int> others = 0;
  std::vector<std::shared_ptr<ShardStore::Share>> shares;
  for (int i = 0; i < 4; ++i)
    shares.push_back(world.store.share(World::key("a"), 30 * mib));
  std::latch start(4);
  {
    std::vector<std::jthread> threads;
    for (const auto& share : shares)
      threads.emplace_back([&] {
        start.arrive_and_wait();
        const auto shard = share->get(world.load(), [] {});
        const Shard* first = nullptr;
        if (!seen.compare_exchange_strong(first, shard.get()) && first != shard.get())
          ++others;
      });
  }
  BOOST_TEST(world.loads == 1);
  BOOST_TEST(others == 0);
  BOOST_TEST(world.ledger.promised() == 30 * mib);
  BOOST_TEST(world.store.unused().shards == 0U);
}

BOOST_AUTO_TEST_CASE(what_nobody_uses_stays_for_its_time_and_no_longer) {
  World world;
  world.use("a", 30 * mib);
  world.time = minutes(9);
  world.store.drop_expired();
  BOOST_TEST(world.store.unused().bytes == 30 * mib);
  // Using it begins its time anew.
  world.use("a", 30 * mib);
  BOOST_TEST(world.loads == 1);
  world.time = minutes(18);
  world.store.drop_expired();
  BOOST_TEST(world.has("a"));  // which is a use as well
  world.time = minutes(28);
  world.store.drop_expired();
  BOOST_TEST(!world.has("a"));
  BOOST_TEST(world.ledger.promised() == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_used_stays_whatever_the_time) {
  World world;
  const auto shard = world.store.share(World::key("a"), 30 * mib)->get(world.load(), [] {});
  world.time = minutes(1000);
  world.store.drop_expired();
  BOOST_TEST(world.has("a"));
  BOOST_TEST(world.store.unused().shards == 0U);
}

BOOST_AUTO_TEST_CASE(time_passes_by_itself) {
  World world;
  ShardStore store(world.ledger, std::chrono::milliseconds(20));
  store.share(World::key("a"), 30 * mib)->get(world.load(), [] {});
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(40);
  while (store.unused().shards != 0 && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  BOOST_TEST(store.unused().shards == 0U);
  BOOST_TEST(world.ledger.promised() == 0U);
}

BOOST_AUTO_TEST_CASE(a_store_that_keeps_nothing_frees_with_the_last_user) {
  World world;
  ShardStore store(world.ledger, minutes(0));
  auto first = store.share(World::key("a"), 30 * mib)->get(world.load(), [] {});
  auto second = store.share(World::key("a"), 30 * mib)->get(world.load(), [] {});
  BOOST_TEST(world.loads == 1);
  first.reset();
  BOOST_TEST(world.ledger.promised() == 30 * mib);
  second.reset();
  BOOST_TEST(world.ledger.promised() == 0U);
}

BOOST_AUTO_TEST_CASE(a_claim_that_needs_the_memory_gets_that_of_the_longest_unused) {
  World world;
  world.use("old", 40 * mib);
  world.time = minutes(1);
  world.use("new", 40 * mib);
  // Of a text, say.
  auto kv = world.ledger.claim(50 * mib);
  BOOST_TEST(!world.has("old"));
  BOOST_TEST(world.has("new"));
  // Another shard is such a claim too.
  world.use("other", 30 * mib);
  BOOST_TEST(!world.has("new"));
  BOOST_TEST(world.has("other"));
}

BOOST_AUTO_TEST_CASE(what_is_used_is_not_given_back_and_the_refusal_has_the_figures) {
  World world;
  const auto used = world.store.share(World::key("used"), 60 * mib)->get(world.load(), [] {});
  world.use("unused", 30 * mib);
  BOOST_TEST(world.refusal(50 * mib) ==
             "they need 50 MiB of memory, 40 MiB are free beside 60 MiB that others were promised "
             "and have not taken yet");
  BOOST_TEST(world.has("used"));
  BOOST_TEST(!world.has("unused"));
  BOOST_CHECK_THROW(world.store.share(World::key("more"), 41 * mib), ModelError);
  BOOST_TEST(world.ledger.promised() == 60 * mib);
}

BOOST_AUTO_TEST_CASE(other_weights_are_another_shard) {
  World world;
  const auto same = World::key("a");
  world.use("a", mib);
  BOOST_TEST((world.store.find(same) != nullptr));
  for (const ShardKey& other :
       {ShardKey{"b", same.layers, same.form, same.threads},
        ShardKey{same.model_hash, {0, 2}, same.form, same.threads},
        ShardKey{same.model_hash, same.layers, LinearForm::automatic, same.threads},
        ShardKey{same.model_hash, same.layers, same.form, 2}})
    BOOST_TEST((world.store.find(other) == nullptr));
}

BOOST_AUTO_TEST_CASE(who_waits_for_another_loads_itself_if_that_one_fails) {
  World world;
  auto failing = world.store.share(World::key("a"), 30 * mib);
  auto waiting = world.store.share(World::key("a"), 30 * mib);
  std::latch begun(1);
  std::latch may_fail(1);
  std::jthread other([&] {
    BOOST_CHECK_THROW(failing->get(
                          [&]() -> std::shared_ptr<const Shard> {
                            begun.count_down();
                            may_fail.wait();
                            throw ModelError("no");
                          },
                          [] {}),
                      ModelError);
  });
  begun.wait();
  bool has_waited = false;
  const auto shard = waiting->get(world.load(), [&] {
    if (!has_waited)
      may_fail.count_down();
    has_waited = true;
  });
  BOOST_TEST(has_waited);
  BOOST_TEST(world.loads == 1);
  BOOST_TEST((shard != nullptr));
}

BOOST_AUTO_TEST_CASE(who_waits_may_stop) {
  World world;
  auto slow = world.store.share(World::key("a"), 30 * mib);
  auto waiting = world.store.share(World::key("a"), 30 * mib);
  std::latch begun(1);
  std::latch goes_on(1);
  std::jthread other([&] {
    slow->get(
        [&] {
          begun.count_down();
          goes_on.wait();
          return world.load()();
        },
        [] {});
  });
  begun.wait();
  BOOST_CHECK_THROW(waiting->get(world.load(), [] { throw ModelError("stopped"); }), ModelError);
  goes_on.count_down();
}

BOOST_AUTO_TEST_CASE(what_could_not_be_loaded_leaves_no_claim) {
  World world;
  BOOST_CHECK_THROW(
      world.store.share(World::key("a"), 30 * mib)
          ->get([]() -> std::shared_ptr<const Shard> { throw ModelError("no"); }, [] {}),
      ModelError);
  BOOST_TEST(world.ledger.promised() == 0U);
  // So does a stage that is given up before it loads.
  world.store.share(World::key("a"), 30 * mib);
  BOOST_TEST(world.ledger.promised() == 0U);
}

BOOST_AUTO_TEST_CASE(a_shard_may_outlive_the_store) {
  World world;
  std::shared_ptr<const Shard> shard;
  {
    ShardStore store(world.ledger, keep);
    shard = store.share(World::key("a"), 30 * mib)->get(world.load(), [] {});
  }
  BOOST_TEST(shard->layers().size() == 1U);
  BOOST_TEST(world.ledger.promised() == 30 * mib);
  shard.reset();
  BOOST_TEST(world.ledger.promised() == 0U);
}
