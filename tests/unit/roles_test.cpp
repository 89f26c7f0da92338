/// Where the parts of a pipeline are that are no stages, as people say it.

#include "runtime/cluster/roles.hpp"

#include <boost/test/unit_test.hpp>

#include "runtime/cluster/cluster.hpp"
#include "runtime/console/error.hpp"

using namespace flowspec;

namespace {

const std::vector<NamedNode> nodes{
    {"10.0.0.1:7341", "a"}, {"10.0.0.2:7341", "b"}, {"10.0.0.3:7341", "b"}};

void check_refused(const std::string& text, const std::string& why) {
  BOOST_CHECK_EXCEPTION(
      parse_roles(text), RuntimeError,
      [&](const RuntimeError& e) { return std::string(e.what()).find(why) != std::string::npos; });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(roles)

BOOST_AUTO_TEST_CASE(a_part_is_at_a_node_by_its_address_or_name_or_at_the_last_stage) {
  auto roles = parse_roles("draft=a,verifier=last,pruner=10.0.0.2:7341");
  auto places = place_roles(roles, nodes, 2, "here");
  BOOST_TEST(*places[0] == 2U);
  BOOST_TEST(*places[1] == 0U);
  BOOST_TEST(*places[2] == 1U);
}

BOOST_AUTO_TEST_CASE(what_nothing_was_said_of_is_here_or_where_the_caller_wants_it) {
  auto roles = parse_roles("draft=here");
  BOOST_TEST(!place_roles(roles, nodes, 2, "here")[0]);
  BOOST_TEST(*place_roles(roles, nodes, 2, "last")[0] == 2U);
  BOOST_TEST(!place_roles(roles, nodes, 2, "last")[1]);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_meant_is_refused_with_the_reason) {
  check_refused("draft", "is not of the form draft=NODE");
  check_refused("stage=a", "is none of verifier, draft, and pruner");
  check_refused("draft=", "where is the draft to be?");
  check_refused("draft=a,draft=b", "places the draft twice");
  check_refused(",", "is not of the form");
  auto place = [](const std::string& text) {
    return place_roles(parse_roles(text), nodes, 0, "here");
  };
  BOOST_CHECK_EXCEPTION(
      place("draft=c"), RuntimeError,
      [](const RuntimeError& e) {
        return std::string(e.what()).find("c is none of the nodes: a (10.0.0.1:7341)") !=
               std::string::npos;
      });
  BOOST_CHECK_EXCEPTION(place("draft=b"), RuntimeError, [](const RuntimeError& e) {
    return std::string(e.what()).find("two nodes have the name b") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(a_cluster_file_places_parts) {
  auto cluster = parse_cluster(
      R"({"nodes": [{"host": "a"}], "place": {"draft": "a", "verifier": "last"}})", "file");
  BOOST_TEST(cluster.roles.draft == "a");
  BOOST_TEST(cluster.roles.verifier == "last");
  BOOST_TEST(cluster.roles.pruner.empty());
  for (const char* wrong : {R"({"nodes": [{"host": "a"}], "place": {"stage": "a"}})",
                            R"({"nodes": [{"host": "a"}], "place": {"draft": 1}})"})
    BOOST_CHECK_THROW(parse_cluster(wrong, "file"), RuntimeError);
  BOOST_CHECK_THROW(named_cluster({}, {}, {}, "draft=last"), RuntimeError);
}

BOOST_AUTO_TEST_SUITE_END()
