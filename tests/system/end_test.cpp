/// Programs that are done end by themselves, not by the limit for their end.

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>

#include "actors/support/actor_threads.hpp"
#include "runtime/cluster/system_config.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

/// Ends at once, as far as the system counts actors; what it tells others takes longer.
caf::behavior ends_slowly(caf::event_based_actor* self, const std::atomic<bool>* may_end,
                          std::atomic<bool>* has_ended) {
  self->attach_functor([may_end, has_ended] {
    while (!*may_end)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    *has_ended = true;
  });
  self->quit();
  return {};
}

}  // namespace

BOOST_AUTO_TEST_CASE(threads_of_actors_are_waited_for) {
  std::atomic<bool> may_end = true;
  std::atomic<bool> has_ended = false;
  SystemConfig config;
  caf::actor_system system(config);
  {
    ActorThreads threads(system, std::chrono::minutes(1));
    system.spawn<caf::detached>(ends_slowly, &may_end, &has_ended);
  }
  BOOST_TEST(has_ended);
}

BOOST_AUTO_TEST_CASE(threads_that_do_not_end_keep_nobody) {
  std::atomic<bool> may_end = false;
  std::atomic<bool> has_ended = false;
  SystemConfig config;
  caf::actor_system system(config);
  {
    ActorThreads threads(system, std::chrono::milliseconds(50));
    system.spawn<caf::detached>(ends_slowly, &may_end, &has_ended);
  }
  BOOST_TEST(!has_ended);
  may_end = true;
}

BOOST_AUTO_TEST_CASE(a_run_over_nodes_ends_by_itself) {
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  for (const char* name : {"one", "two"})
    nodes.push_back(std::make_unique<NodeProcess>(name, model_folder()));
  for (int i = 0; i < 15; ++i) {
    auto run = flowspec_program(Arguments{"generate", "-v", "-n", "4", "--model",
                                          (model_folder() / "target.gguf").string(), "hello"} +
                                node_arguments(nodes));
    BOOST_TEST(run.exit_code == 0);
    BOOST_TEST(!run.complains("it leaves without them"), run.error);
  }
}
