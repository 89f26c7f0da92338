/// Links that are cut, far, slow, or make mistakes, between real processes.

#include <csignal>
#include <deque>
#include <thread>

#include <boost/test/unit_test.hpp>

#include "runtime/hop_bench/relay.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec;
using namespace flowspec::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

std::string address_of(const Relay& relay) {
  return "127.0.0.1:" + std::to_string(relay.port());
}

/// A run over nodes behind links.
struct LongRun {
  Process run;

  explicit LongRun(const std::vector<std::string>& addresses,
                   const Arguments& more = {"-n", "19000"})
      : run(arguments(addresses, more)) {
    BOOST_REQUIRE_MESSAGE(run.wait_for_output("a", patience), "no text: " << run.error());
  }

  static Arguments arguments(const std::vector<std::string>& addresses, const Arguments& more) {
    Arguments all{
        program_path("flowspec"), "generate", "--model", (model_folder() / "slow.gguf").string(),
        "--temperature",          "0",        "hello"};
    for (const auto& address : addresses)
      all = all + Arguments{"--node", address};
    // All of them are to have layers.
    return all + Arguments{"--stages", std::to_string(addresses.size())} + more;
  }

  /// To its end, which has the text on stderr.
  void check_goes_on(const std::string& text) {
    auto code = run.wait(2 * patience);
    BOOST_REQUIRE_MESSAGE(code, "HANGS after its fault: " << run.error());
    BOOST_CHECK_MESSAGE(*code == 0 && run.error().find(text) != std::string::npos,
                        "code " << *code << ", no \"" << text << "\" in: " << run.error());
  }

  void check_end(const std::string& text) {
    auto code = run.wait(seconds(10));
    BOOST_REQUIRE_MESSAGE(code, "HANGS after its fault: " << run.error());
    BOOST_CHECK_MESSAGE(*code == 1 && run.error().find(text) != std::string::npos,
                        "code " << *code << ", no \"" << text << "\" in: " << run.error());
  }
};

Result short_run(const std::vector<std::string>& addresses,
                 const Arguments& more = {"-n", "20", "hello"}) {
  Arguments all{"generate", "--model", (model_folder() / "target.gguf").string()};
  for (const auto& address : addresses)
    all = all + Arguments{"--node", address};
  return flowspec_program(all + Arguments{"--stages", std::to_string(addresses.size())} + more);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(lost_links)

BOOST_AUTO_TEST_CASE(a_cut_between_neighbours_is_named_and_healed) {
  NodeProcess first("first", model_folder());
  NodeProcess second("second", model_folder());
  for (bool heals : {true, false}) {
    Relay relay(static_cast<std::uint16_t>(second.port()));
    LongRun run({first.address(), address_of(relay)}, {"-n", "1500"});
    BOOST_REQUIRE(relay.connections() == 2);  // the asker's, and the first node's
    if (!heals)
      relay.cut_later_ones();
    relay.cut(1);
    run.check_goes_on("node first cannot reach node second (" + address_of(relay) +
                      "): silent for");
    run.check_goes_on(heals ? "the nodes are connected again"
                            : "layers 0 to 5 are on node second (" + address_of(relay) + ") now");
  }
}

BOOST_AUTO_TEST_CASE(a_cut_of_the_own_cable_frees_the_nodes) {
  NodeProcess node("node", model_folder());
  Relay relay(static_cast<std::uint16_t>(node.port()));
  LongRun run({address_of(relay)});
  relay.cut_all();
  run.check_end("node node (" + address_of(relay) + ") was lost: silent for 0.9 s");
  BOOST_CHECK_MESSAGE(node_reaches(node, "stages", 0), "a stage LEAKS");
}

BOOST_AUTO_TEST_CASE(an_outage_that_is_tolerated_ends_nothing) {
  NodeProcess node("node", model_folder());
  Relay relay(static_cast<std::uint16_t>(node.port()));
  // Of both sides' values the larger counts: the node's is 0.9.
  Process run(LongRun::arguments({address_of(relay)}, {"--tolerate", "5", "--json", "-n", "600"}));
  BOOST_REQUIRE(node_reaches(node, "sessions", 1));
  relay.cut_all();
  std::this_thread::sleep_for(seconds(4));
  relay.mend();
  auto code = run.wait(2 * patience);
  BOOST_REQUIRE_MESSAGE(code, "HANGS: " << run.error());
  BOOST_CHECK_MESSAGE(*code == 0, run.error());
}

BOOST_AUTO_TEST_CASE(a_node_that_stops_while_stages_are_made_is_not_waited_for) {
  NodeProcess first("first", model_folder());
  NodeProcess second("second", model_folder());
  Relay relay(static_cast<std::uint16_t>(second.port()));
  // From the asker's handshake on, the second node is silent.
  std::atomic<bool> ends = false;
  std::thread cutter([&] {
    while (relay.connections() < 2 && !ends)
      std::this_thread::sleep_for(milliseconds(1));
    relay.cut_all();
  });
  auto result = short_run({first.address(), address_of(relay)});
  ends = true;
  cutter.join();
  BOOST_CHECK_MESSAGE(result.exit_code == 1 && result.complains(address_of(relay)), result.error);
}

BOOST_AUTO_TEST_CASE(far_nodes_are_reached) {
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  for (const char* name : {"first", "second", "third", "fourth"})
    nodes.push_back(std::make_unique<NodeProcess>(name, model_folder()));
  for (auto delay : {milliseconds(40), milliseconds(150)}) {
    std::deque<Relay> links;
    std::vector<std::string> addresses;
    for (const auto& node : nodes)
      addresses.push_back(address_of(links.emplace_back(static_cast<std::uint16_t>(node->port()),
                                                        RelayOptions{.delay = delay})));
    for (int i = 0; i < soak(); ++i) {
      auto result = short_run(addresses, {"-n", "2", "hello"});
      BOOST_CHECK_MESSAGE(result.exit_code == 0, delay.count() << " ms: " << result.error);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_slow_link_is_no_dead_one) {
  NodeProcess node("node", model_folder());
  // The prompt takes some seconds.
  Relay slow(static_cast<std::uint16_t>(node.port()), {.bytes_per_s = 20'000});
  auto result = short_run({address_of(slow)},
                          {"--context", "1024", "--mode", "ar", "-n", "4", std::string(900, 'y')});
  BOOST_CHECK_MESSAGE(result.exit_code == 0, result.error);
}

BOOST_AUTO_TEST_CASE(a_link_that_changes_bytes_ends_the_run_and_nothing_else) {
  NodeProcess node("node", model_folder());
  Relay relay(static_cast<std::uint16_t>(node.port()));
  LongRun run({address_of(relay)});
  relay.corrupt(0);
  run.check_end("was lost");
  BOOST_CHECK(node.process().runs());
  BOOST_CHECK_MESSAGE(node_reaches(node, "stages", 0), "a stage LEAKS");
}

BOOST_AUTO_TEST_SUITE_END()
