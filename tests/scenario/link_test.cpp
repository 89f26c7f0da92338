/// An emulated link alone: what a transfer takes.

#include "actors/emulation/link.hpp"

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include "actors/emulation/timing.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/type_ids.hpp"

using namespace flowspec;

namespace {

struct TestConfig : caf::actor_system_config {
  TestConfig() {
    add_message_types<caf::id_block::flowspec_messages>();
    add_message_types<caf::id_block::flowspec_actors>();
    set("scheduler.policy", caf::atom("testing"));
  }
};

struct Arrival {
  std::string what;
  EmulationSpan at;
};

caf::behavior receiver(caf::event_based_actor* self, std::vector<Arrival>* arrivals) {
  auto note = [self, arrivals, start = self->clock().now()](const std::string& what) {
    arrivals->push_back({what, self->clock().now() - start});
  };
  return {
      [note](const SegmentMessage& message) { note(std::to_string(message.read()->id)); },
      [note](const CloseMessage&) { note("close"); },
      [note](const PrunesMessage&) { note("prunes"); },
  };
}

SegmentMessage segment_of(SegmentId id, std::size_t rows) {
  Segment segment;
  segment.id = id;
  for (TreeNodeId node = 1; node <= rows; ++node)
    segment.rows.push_back({1, node, node - 1, 5, static_cast<Position>(node)});
  return SegmentMessage{segment};
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_link_takes_one_transfer_at_a_time_and_keeps_the_order) {
  TestConfig config;
  caf::actor_system system{config};
  auto& scheduler = dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  std::vector<Arrival> arrivals;
  auto target = system.spawn(receiver, &arrivals);
  // A row takes 1 ms, then 5 ms.
  auto link = spawn_emulated_link(system, {{8'000'000, 5'000'000, 1000}, "a", "b", target});
  CloseMessage close{{1, false, {}}};
  caf::anon_send(link, segment_of(1, 4));
  caf::anon_send(link, segment_of(2, 1));
  caf::anon_send(link, close);
  while (scheduler.try_run_once() || scheduler.trigger_timeout()) {
  }
  BOOST_TEST_REQUIRE(arrivals.size() == 3U);
  BOOST_TEST(arrivals[0].what == "1");
  BOOST_TEST(arrivals[1].what == "2");
  BOOST_TEST(arrivals[2].what == "close");
  BOOST_TEST(arrivals[0].at.count() == 9'000'000);
  BOOST_TEST(arrivals[1].at.count() == 10'000'000);
  BOOST_TEST(arrivals[2].at.count() == 10'000'000 + static_cast<int>(close.bytes()) * 1000);
  end_actor(link);
  end_actor(target);
  while (scheduler.try_run_once()) {
  }
}
