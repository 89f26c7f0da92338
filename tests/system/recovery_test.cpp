/// Nodes that are lost in mid-text, between real processes: the text goes on, and is the undisturbed one.

#include <csignal>

#include <boost/test/unit_test.hpp>

#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;
using std::chrono::seconds;

namespace {

Arguments text_arguments(const std::string& tokens) {
  return {"--model",
          (model_folder() / "slow.gguf").string(),
          "--temperature",
          "1",
          "--seed",
          "7",
          "-n",
          tokens,
          "--mode",
          "ar",
          "--json",
          "hello"};
}

/// The text of this length, undisturbed in one process.
std::string undisturbed(const std::string& tokens) {
  auto result = flowspec_program(Arguments{"generate"} + text_arguments(tokens));
  BOOST_REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  return result.json().at("tokens").dump();
}

/// Nodes, and a run over the first ones; the others are spares.
struct Cluster {
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  std::unique_ptr<Process> run;

  Cluster(std::size_t stages, std::size_t spares, const std::string& tokens) {
    Arguments all{program_path("flowspec"), "generate"};
    for (std::size_t i = 0; i < stages + spares; ++i) {
      nodes.push_back(std::make_unique<NodeProcess>("n" + std::to_string(i), model_folder()));
      all = all + Arguments{i < stages ? "--node" : "--spare", nodes.back()->address()};
    }
    all = all + Arguments{"--stages", std::to_string(stages)};
    run = std::make_unique<Process>(all + text_arguments(tokens));
    BOOST_REQUIRE(node_reaches(*nodes.front(), "sessions", 1));
  }

  void check_text(const std::string& expected, std::uint32_t recoveries) {
    auto code = run->wait(2 * patience);
    BOOST_REQUIRE_MESSAGE(code, "HANGS after its fault: " << run->error());
    BOOST_REQUIRE_MESSAGE(*code == 0, run->error());
    auto json = nlohmann::json::parse(run->output());
    BOOST_CHECK_MESSAGE(json.at("tokens").dump() == expected, "another text");
    BOOST_CHECK_EQUAL(json.at("stats").at("recoveries").get<std::uint32_t>(), recoveries);
  }

  /// Nothing is left on nodes that are still there.
  void check_free(const std::vector<std::size_t>& gone) {
    for (std::size_t i = 0; i < nodes.size(); ++i)
      if (std::ranges::find(gone, i) == gone.end())
        BOOST_CHECK_MESSAGE(node_reaches(*nodes[i], "stages", 0), "a stage LEAKS on node " << i);
  }
};

const std::string tokens = "500";

}  // namespace

BOOST_AUTO_TEST_SUITE(recovery)

BOOST_AUTO_TEST_CASE(a_node_that_is_killed_stopped_or_leaves_costs_a_pause) {
  auto expected = undisturbed(tokens);
  std::size_t lost = 0;
  for (int signal : {SIGKILL, SIGSTOP, SIGTERM}) {
    for (std::size_t spares : {1, 0}) {
      Cluster cluster(3, spares, tokens);
      cluster.nodes[lost]->process().signal(signal);
      cluster.check_text(expected, 1);
      BOOST_CHECK(cluster.run->error().find("node n" + std::to_string(lost)) != std::string::npos);
      cluster.check_free({lost});
      lost = (lost + 1) % 3;
    }
  }
}

BOOST_AUTO_TEST_CASE(two_nodes_are_killed_at_once) {
  auto expected = undisturbed(tokens);
  Cluster cluster(4, 1, tokens);
  cluster.nodes[1]->process().signal(SIGKILL);
  cluster.nodes[2]->process().signal(SIGKILL);
  auto code = cluster.run->wait(2 * patience);
  BOOST_REQUIRE_MESSAGE(code && *code == 0, cluster.run->error());
  BOOST_CHECK(nlohmann::json::parse(cluster.run->output()).at("tokens").dump() == expected);
  cluster.check_free({1, 2});
}

BOOST_AUTO_TEST_CASE(a_spare_that_is_killed_changes_nothing) {
  auto expected = undisturbed(tokens);
  Cluster cluster(2, 1, tokens);
  cluster.nodes[2]->process().signal(SIGKILL);
  cluster.check_text(expected, 0);
}

BOOST_AUTO_TEST_SUITE_END()
