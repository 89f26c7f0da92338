/// Draft, verifier and tree pruner on nodes: the text is the one that this machine alone writes, wherever
/// they are, and whichever node is lost.

#include <csignal>

#include <boost/test/unit_test.hpp>

#include "runtime/hop_bench/relay.hpp"
#include "tests/support/paths.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;

namespace {

std::vector<std::unique_ptr<NodeProcess>> three_nodes() {
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  for (const char* name : {"a", "b", "c"})
    nodes.push_back(std::make_unique<NodeProcess>(name, model_folder()));
  return nodes;
}

std::string model(const std::string& name) {
  return (model_folder() / name).string();
}

/// A text that takes seconds.
Arguments long_text(const std::string& mode) {
  return {
      "--model", model("slow.gguf"), "--draft", "lookup", "--temperature", "1", "--seed", "7", "-n",
      "500",     "--mode",           mode,      "--json", "hello"};
}

std::string tokens_of(const Arguments& arguments) {
  auto result = flowspec_program(Arguments{"generate"} + arguments);
  BOOST_REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  return result.json().at("tokens").dump();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(placement)

BOOST_AUTO_TEST_CASE(verify_passes_wherever_the_parts_are) {
  auto nodes = three_nodes();
  for (const std::string place :
       {"verifier=last", "draft=last,verifier=last,pruner=last", "draft=a,verifier=b,pruner=c"}) {
    auto result = flowspec_program(Arguments{"verify", "--model", model("target.gguf"), "--draft",
                                             model("draft.gguf"), "--draft", "lookup", "--modes",
                                             "ar,chunk-pp,flowspec", "--stages", "1,2,3", "-n", "8",
                                             "--draws", "60", "--place", place} +
                                   node_arguments(nodes));
    BOOST_CHECK_MESSAGE(result.exit_code == 0, place << ": " << result.output << result.error);
    // ar, and two modes with two drafts, over three numbers of stages.
    BOOST_CHECK_MESSAGE(result.output.find("PASSED: 15 of 15") != std::string::npos, result.output);
  }
  for (const auto& node : nodes)
    BOOST_CHECK(node_reaches(*node, "stages", 0));
}

BOOST_AUTO_TEST_CASE(a_head_that_reads_hidden_states_is_on_a_node) {
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  for (const char* name : {"a", "b"})
    nodes.push_back(std::make_unique<NodeProcess>(name, source_path("models/embedded")));
  Arguments text{"--seed", "3",      "--temperature",   "0.8", "-n", "60", "--controller",
                 "off",    "--json", "Once upon a time"};
  auto expected = tokens_of(text);
  for (const std::string place :
       {"draft=last", "draft=a,verifier=b", "draft=b,verifier=b,pruner=a"}) {
    auto result = flowspec_program(Arguments{"generate", "--stages", "2", "--place", place} +
                                   node_arguments(nodes) + text);
    BOOST_REQUIRE_MESSAGE(result.exit_code == 0, place << ": " << result.error);
    auto json = result.json();
    BOOST_TEST(json.at("tokens").dump() == expected);
    const auto& hops = json.at("stats").at("hops");
    BOOST_TEST(hops.back().at("where").get<std::string>() != "here");
    // It guesses with what it was told: most tokens come several at a time.
    BOOST_TEST(hops.back().at("right_guesses").get<int>() > 20, hops.back().dump());
  }
}

BOOST_AUTO_TEST_CASE(the_node_of_any_part_is_lost_and_the_text_goes_on) {
  for (const std::string mode : {"ar", "flowspec"}) {
    auto expected = tokens_of(long_text(mode));
    for (int signal : {SIGKILL, SIGSTOP}) {
      for (std::size_t lost : {0, 1, 2}) {
        auto nodes = three_nodes();
        NodeProcess spare("d", model_folder());
        // Node c has no stage.
        Arguments where{"--node",   nodes[0]->address(),
                        "--node",   nodes[1]->address(),
                        "--stages", "2",
                        "--spare",  nodes[2]->address(),
                        "--spare",  spare.address(),
                        "--place",  "draft=" + nodes[2]->address() + ",verifier=last,pruner=a"};
        Process run(Arguments{program_path("flowspec"), "generate"} + where + long_text(mode));
        BOOST_REQUIRE(node_reaches(*nodes[0], "sessions", 1));
        nodes[lost]->process().signal(signal);
        auto code = run.wait(2 * patience);
        BOOST_REQUIRE_MESSAGE(code && *code == 0,
                              mode << ", node " << lost << ": " << run.error() << run.output());
        auto json = nlohmann::json::parse(run.output());
        BOOST_TEST(json.at("tokens").dump() == expected, mode << ", node " << lost);
        BOOST_TEST(json.at("stats").at("recoveries").get<int>() == 1);
        for (const auto& hop : json.at("stats").at("hops"))
          BOOST_TEST(hop.at("where").get<std::string>().find(nodes[lost]->address()) ==
                     std::string::npos);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_node_that_comes_back_is_a_spare) {
  auto expected = tokens_of(long_text("ar"));
  auto first = std::make_unique<NodeProcess>("first", model_folder());
  NodeProcess second("second", model_folder());
  auto address = first->address();
  // Far enough that the text lasts for longer than a lost node is away, however fast the machine is.
  flowspec::Relay link(static_cast<std::uint16_t>(second.port()),
                       {.delay = std::chrono::milliseconds(10)});
  Process run(Arguments{program_path("flowspec"), "generate", "--node", first->address(), "--node",
                        "127.0.0.1:" + std::to_string(link.port()), "--stages", "2"} +
              long_text("ar") + Arguments{"--verbose"});
  BOOST_REQUIRE(node_reaches(*first, "sessions", 1));
  first->process().signal(SIGKILL);
  first.reset();
  first = std::make_unique<NodeProcess>("first", model_folder(), Arguments{"--listen", address});
  BOOST_REQUIRE_MESSAGE(run.wait_for_error("is back, as a spare", patience), run.error());
  second.process().signal(SIGKILL);
  auto code = run.wait(2 * patience);
  BOOST_REQUIRE_MESSAGE(code && *code == 0, run.error());
  auto json = nlohmann::json::parse(run.output());
  BOOST_TEST(json.at("tokens").dump() == expected);
  BOOST_TEST(json.at("stats").at("recoveries").get<int>() == 2);
}

BOOST_AUTO_TEST_CASE(a_place_that_is_no_node_is_refused) {
  auto nodes = three_nodes();
  auto result = flowspec_program(
      Arguments{"generate", "--model", model("target.gguf"), "--place", "draft=nowhere", "hello"} +
      node_arguments(nodes));
  BOOST_TEST(result.exit_code != 0);
  BOOST_TEST(result.complains("nowhere is none of the nodes"), result.error);
}

BOOST_AUTO_TEST_SUITE_END()
