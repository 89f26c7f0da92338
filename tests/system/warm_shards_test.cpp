/// Weights stay in a node's memory: the next run begins without loading them.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "tests/support/paths.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;

namespace {

const std::filesystem::path embedded = source_path("models/embedded");
constexpr const char* loaded = "its weights are loaded";
constexpr const char* kept = "its weights are in memory already";

/// How often the node's log says so.
std::size_t count(NodeProcess& node, const std::string& text) {
  const auto log = node.process().error();
  std::size_t number = 0;
  for (auto at = log.find(text); at != log.npos; at = log.find(text, at + 1))
    ++number;
  return number;
}

struct TwoNodes {
  explicit TwoNodes(const Arguments& more = {}) {
    for (const char* name : {"a", "b"})
      nodes.push_back(std::make_unique<NodeProcess>(name, embedded, more));
  }

  /// Even parts, unless the layers are said.
  Arguments words(const Arguments& more = {"--stages", "2"}) const {
    return Arguments{"generate", "-n", "24", "--json", "once upon a time"} + node_arguments(nodes) +
           more;
  }

  nlohmann::json tokens(const Arguments& more = {"--stages", "2"}) const {
    auto result = flowspec_program(words(more));
    BOOST_REQUIRE_MESSAGE(result.exit_code == 0, result.output << result.error);
    return result.json().at("tokens");
  }

  std::vector<std::unique_ptr<NodeProcess>> nodes;
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_second_run_does_not_load) {
  const TwoNodes cluster;
  const auto first = cluster.tokens();
  // Whatever else a run is about: the weights are the same.
  BOOST_TEST(cluster.tokens() == first);
  cluster.tokens({"--stages", "2", "--mode", "ar", "--kv-type", "f32"});
  for (const auto& node : cluster.nodes) {
    BOOST_TEST(count(*node, loaded) == 1U, node->process().error());
    BOOST_TEST(count(*node, kept) == 2U, node->process().error());
  }
  // Other layers are other weights.
  BOOST_TEST(cluster.tokens({"--split", "2,6"}) == first);
  for (const auto& node : cluster.nodes)
    BOOST_TEST(count(*node, loaded) == 2U, node->process().error());
}

BOOST_AUTO_TEST_CASE(a_node_that_keeps_nothing_loads_each_time) {
  const TwoNodes cluster({"--keep-shards", "0"});
  BOOST_TEST(cluster.tokens() == cluster.tokens());
  for (const auto& node : cluster.nodes) {
    BOOST_TEST(count(*node, loaded) == 2U, node->process().error());
    BOOST_TEST(count(*node, kept) == 0U, node->process().error());
  }
}

BOOST_AUTO_TEST_CASE(runs_at_the_same_time_share_the_weights) {
  const TwoNodes cluster;
  std::vector<std::unique_ptr<Process>> runs;
  for (int i = 0; i < 3; ++i)
    runs.push_back(
        std::make_unique<Process>(Arguments{program_path("flowspec")} + cluster.words()));
  std::vector<nlohmann::json> tokens;
  for (const auto& run : runs) {
    const auto code = run->wait(patience);
    BOOST_REQUIRE_MESSAGE(code, "HANGS");
    BOOST_REQUIRE_MESSAGE(*code == 0, run->output() << run->error());
    tokens.push_back(nlohmann::json::parse(run->output()).at("tokens"));
  }
  BOOST_TEST(tokens.at(1) == tokens.at(0));
  BOOST_TEST(tokens.at(2) == tokens.at(0));
  for (const auto& node : cluster.nodes)
    BOOST_TEST(count(*node, loaded) == 1U, node->process().error());
}
