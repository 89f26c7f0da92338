/// Slots that sessions take one by one, share, and give back.
#include "models/kv/slot_pool.hpp"

#include <random>

#include <boost/test/unit_test.hpp>

namespace flowspec::test {

BOOST_AUTO_TEST_SUITE(slot_pool)

BOOST_AUTO_TEST_CASE(a_session_takes_slots_side_by_side_beside_others) {
  SlotPool pool(4 * SlotPool::block_slots);
  std::optional<Slot> a;
  std::optional<Slot> b;
  for (std::uint32_t i = 0; i < SlotPool::block_slots; ++i) {
    a = pool.take(a);
    b = pool.take(b);
    BOOST_TEST(*a == i);
    BOOST_TEST(*b == SlotPool::block_slots + i);
  }
  BOOST_TEST(*pool.take(a) == 2 * SlotPool::block_slots);
}

BOOST_AUTO_TEST_CASE(every_slot_can_be_taken_and_then_none) {
  SlotPool pool(37);
  std::optional<Slot> last;
  for (std::uint32_t i = 0; i < 37; ++i)
    BOOST_REQUIRE((last = pool.take(i % 3 == 0 ? std::nullopt : last)).has_value());
  BOOST_TEST(!pool.take().has_value());
  BOOST_TEST(!pool.take(last).has_value());
  BOOST_TEST(pool.left() == 0U);
}

BOOST_AUTO_TEST_CASE(a_shared_slot_is_free_when_nobody_refers_to_it) {
  SlotPool pool(1);
  auto slot = *pool.take();
  pool.share(slot);
  pool.release(slot);
  BOOST_TEST(pool.used() == 1U);
  BOOST_TEST(!pool.take().has_value());
  pool.release(slot);
  BOOST_TEST(pool.used() == 0U);
  BOOST_TEST(pool.take().has_value());
}

BOOST_AUTO_TEST_CASE(slots_that_are_not_allowed_yet_are_not_taken) {
  SlotPool pool(100, 0);
  BOOST_TEST(!pool.take().has_value());
  BOOST_TEST(pool.left() == 100U);
  pool.allow(20);
  for (std::uint32_t i = 0; i < 20; ++i)
    BOOST_TEST(*pool.take() < 20U);
  BOOST_TEST(!pool.take().has_value());
  pool.stop_growing();
  BOOST_TEST(pool.left() == 0U);
  pool.allow(21);
  BOOST_TEST(*pool.take() == 20U);
  BOOST_TEST(pool.left() == 79U);
}

BOOST_AUTO_TEST_CASE(whatever_is_taken_and_given_back_no_slot_has_two_owners) {
  std::mt19937 random(7);
  SlotPool pool(200);
  std::vector<std::uint32_t> references(200);
  std::vector<Slot> held;
  for (int step = 0; step < 20'000; ++step) {
    switch (random() % 4) {
      case 0:
      case 1: {
        auto near = held.empty() ? std::nullopt : std::optional(held[random() % held.size()]);
        if (auto slot = pool.take(near)) {
          BOOST_REQUIRE(references[*slot]++ == 0U);
          held.push_back(*slot);
        } else {
          BOOST_REQUIRE(pool.used() == 200U);
        }
        break;
      }
      case 2:
        if (!held.empty()) {
          held.push_back(held[random() % held.size()]);
          ++references[held.back()];
          pool.share(held.back());
        }
        break;
      default:
        if (!held.empty()) {
          std::swap(held[random() % held.size()], held.back());
          --references[held.back()];
          pool.release(held.back());
          held.pop_back();
        }
    }
    auto used = std::ranges::count_if(references, [](auto count) { return count > 0; });
    BOOST_REQUIRE(pool.used() == static_cast<std::uint32_t>(used));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace flowspec::test
