/// `flowspec plan` shows who would compute what, and `generate` does it that way.

#include <algorithm>

#include <boost/test/unit_test.hpp>

#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"
#include "tests/system/models.hpp"
#include "tests/system/programs.hpp"

using namespace flowspec::test;

namespace {

using Json = nlohmann::json;

std::string target() {
  return (model_folder() / "target.gguf").string();
}

std::vector<std::unique_ptr<NodeProcess>> two_nodes() {
  std::vector<std::unique_ptr<NodeProcess>> nodes;
  for (const char* name : {"first", "second"})
    nodes.push_back(std::make_unique<NodeProcess>(name, model_folder()));
  return nodes;
}

Json plan_of(const Arguments& more) {
  auto result = flowspec_program(Arguments{"plan", "--json", "--model", target()} + more);
  BOOST_REQUIRE_MESSAGE(result.exit_code == 0, result.error << result.output);
  return result.json();
}

/// Layers follow each other from the first to the last.
void check_layers(const Json& stages, int layers) {
  int next = 0;
  for (const Json& stage : stages) {
    BOOST_TEST(stage.at("layers").at(0).get<int>() == next);
    next = stage.at("layers").at(1);
  }
  BOOST_TEST(next == layers);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(plan_command)

BOOST_AUTO_TEST_CASE(a_plan_has_measured_nodes_and_links_and_all_layers) {
  auto nodes = two_nodes();
  auto plan = plan_of(node_arguments(nodes));
  check_layers(plan.at("stages"), 6);
  BOOST_TEST(plan.at("nodes").size() == 2U);
  for (const Json& node : plan.at("nodes")) {
    BOOST_TEST(node.at("layer_ms").at("1").get<double>() > 0);
    BOOST_TEST(node.at("weights_bytes_per_s").get<double>() > 0);
  }
  // Each with each, and both with the asker.
  BOOST_TEST(plan.at("links").size() == 6U);
  for (const Json& link : plan.at("links")) {
    BOOST_TEST(link.at("reaches").get<bool>());
    BOOST_TEST(link.at("bytes_per_s").get<double>() > 0);
  }
  BOOST_TEST(plan.at("stages").size() + plan.at("left_out").size() == 2U);
  BOOST_TEST(plan.at("token_ms").get<double>() > 0);
}

BOOST_AUTO_TEST_CASE(what_was_measured_once_is_the_same_the_next_time) {
  auto layer_ms = [](const Json& plan) { return plan.at("nodes").at(0).at("layer_ms"); };
  Json measured;
  {
    NodeProcess node("node", model_folder());
    measured = layer_ms(plan_of({"--node", node.address()}));
    BOOST_TEST(layer_ms(plan_of({"--node", node.address()})) == measured);
  }
  // Another process of this user finds it too.
  NodeProcess other("other", model_folder());
  BOOST_TEST(layer_ms(plan_of({"--node", other.address()})) == measured);
}

BOOST_AUTO_TEST_CASE(nodes_that_cannot_help_are_left_out_with_the_reason) {
  NodeProcess good("good", model_folder());
  TempFolder empty;
  NodeProcess bare("bare", empty.path());
  auto plan =
      plan_of({"--node", good.address(), "--node", bare.address(), "--node", "127.0.0.1:1"});
  check_layers(plan.at("stages"), 6);
  BOOST_TEST_REQUIRE(plan.at("left_out").size() == 2U);
  auto why = [&](std::size_t i) { return plan.at("left_out").at(i).at("why").get<std::string>(); };
  BOOST_CHECK_MESSAGE(why(0).find("target.gguf") != std::string::npos, why(0));
  BOOST_CHECK_MESSAGE(why(1).find("cannot be reached") != std::string::npos, why(1));
  auto table = flowspec_program(
      {"plan", "--model", target(), "--node", good.address(), "--node", bare.address()});
  BOOST_CHECK(table.exit_code == 0);
  BOOST_CHECK_MESSAGE(table.output.find("Left out: bare") != std::string::npos, table.output);
  // Without a plan the error says why.
  auto none = flowspec_program({"plan", "--json", "--model", target(), "--node", bare.address()});
  BOOST_CHECK(none.exit_code == 1);
  BOOST_CHECK(none.json().at("error").get<std::string>().find("bare") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(generate_computes_as_planned_and_says_how_that_compares) {
  auto nodes = two_nodes();
  Arguments prompt{"generate", "--json", "--model", target(), "-n", "12", "hello"};
  auto result = flowspec_program(prompt + node_arguments(nodes));
  BOOST_REQUIRE_MESSAGE(result.exit_code == 0, result.error);
  auto json = result.json();
  Json stages = Json::array();
  for (const Json& hop : json.at("stats").at("hops"))
    if (hop.contains("layers")) {
      stages.push_back(hop);
      BOOST_TEST(hop.at("segment_ms").get<double>() > 0);
      BOOST_TEST(hop.at("planned_segment_ms").get<double>() > 0);
    }
  check_layers(stages, 6);
  auto alone = flowspec_program(prompt);
  BOOST_TEST(alone.json().at("tokens") == json.at("tokens"));
  // Who says what each node computes gets that.
  auto split = flowspec_program(prompt + node_arguments(nodes) + Arguments{"--split", "5,1"});
  auto hops = split.json().at("stats").at("hops");
  BOOST_TEST(hops.at(0).at("layers") == Json({0, 5}));
  BOOST_TEST(!hops.at(0).contains("planned_segment_ms"));
}

BOOST_AUTO_TEST_SUITE_END()
