/// What a server tells of its pipeline: the event for the page, the state of the cluster, and news.

#include "runtime/serve/cluster_view.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace flowspec;
using Json = nlohmann::json;

namespace {

/// Two stages on two nodes, a spare, the rest here; one session that writes and one that waits.
ClusterState running() {
  ClusterState state;
  state.at_us = 5'000'000;
  state.health = ServeHealth::ready;
  state.model = "target.gguf";
  state.mode = "flowspec";
  state.layers = {{0, 4}, {4, 5}};
  state.places = {"n1 (h:1)", "n2 (h:2)", "here", "here", "here"};
  state.nodes = {{"n1 (h:1)"}, {"n2 (h:2)"}, {"n3 (h:3)"}};
  state.sessions = {{.id = 7, .phase = SessionPhase::text, .prompt_tokens = 12, .tokens = 31},
                    {.id = 8}};
  StageStats stage;
  stage.segments = 10;
  stage.busy_ns = 3'000'000;
  stage.rows_computed = 160;
  stage.rows_kept = 20;
  stage.kv_slots = 64;
  stage.kv_slots_used = 16;
  stage.recent = {{.segment = 3, .rows = 16, .kept = 2, .ago_us = 900, .busy_us = 300}};
  StageStats draft;
  draft.tree_nodes = 40;
  draft.tree_sent = 28;
  state.stats = {stage, StageStats{}, StageStats{}, draft};
  return state;
}

Json event_of(const ClusterState& state) {
  return Json::parse(state_event_json(state));
}

using Texts = std::vector<std::string>;

void check_news(const ClusterState& before, const ClusterState& now, const Texts& expected) {
  auto texts = changes(before, now);
  BOOST_TEST(texts == expected, boost::test_tools::per_element());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cluster_view)

BOOST_AUTO_TEST_CASE(hops_come_in_the_order_in_which_rows_pass_them) {
  auto event = event_of(running());
  Texts names;
  for (const Json& hop : event["hops"])
    names.push_back(hop["name"]);
  BOOST_TEST(names == (Texts{"draft", "stage 0", "stage 1", "verifier"}),
             boost::test_tools::per_element());
  BOOST_TEST(event["hops"][0]["kind"] == "draft");
  BOOST_TEST(event["hops"][1]["kind"] == "stage");
  BOOST_TEST(event["hops"][3]["kind"] == "verifier");
}

BOOST_AUTO_TEST_CASE(a_stage_has_its_place_layers_figures_and_latest_segments) {
  auto stage = event_of(running())["hops"][1];
  BOOST_TEST(stage["place"] == "n1 (h:1)");
  BOOST_TEST(stage["layers"] == (Json{0, 4}));
  BOOST_TEST(stage["busy_us"] == 3000);
  BOOST_TEST(stage["rows"] == 160);
  BOOST_TEST(stage["rows_kept"] == 20);
  BOOST_TEST(stage["kv"] == (Json{{"used", 16}, {"slots", 64}, {"bytes", 0}}));
  BOOST_TEST(stage["recent"] == Json::parse("[[3, 16, 2, 900, 300]]"));
}

BOOST_AUTO_TEST_CASE(the_event_counts_sessions_and_the_tree) {
  auto event = event_of(running());
  BOOST_TEST(event["sessions"].size() == 2U);
  BOOST_TEST(event["sessions"][0]["phase"] == "text");
  BOOST_TEST(event["sessions"][0]["tokens"] == 31);
  BOOST_TEST(event["waiting"] == 1);
  BOOST_TEST(event["tree"] == (Json{{"nodes", 40}, {"sent", 28}}));
}

BOOST_AUTO_TEST_CASE(nodes_work_or_are_spare_or_lost) {
  auto state = running();
  state.nodes[1].is_lost = true;
  auto nodes = event_of(state)["nodes"];
  BOOST_TEST(nodes[0]["state"] == "works");
  BOOST_TEST(nodes[0]["parts"] == (Json{"stage 0"}));
  BOOST_TEST(nodes[1]["state"] == "lost");
  BOOST_TEST(nodes[2]["state"] == "spare");
  BOOST_TEST(nodes[2]["parts"].empty());
}

BOOST_AUTO_TEST_CASE(figures_are_null_if_a_hop_has_not_answered) {
  auto state = running();
  state.stats.pop_back();
  auto event = event_of(state);
  BOOST_TEST(event["tree"].is_null());
  for (const Json& hop : event["hops"])
    for (const char* name : {"busy_us", "rows", "kv", "recent"})
      BOOST_TEST(hop[name].is_null());
}

BOOST_AUTO_TEST_CASE(before_anything_is_known_there_is_an_event_without_stages) {
  auto event = event_of({});
  BOOST_TEST(event["health"] == "loading");
  BOOST_TEST(event["hops"].size() == 2U);
  BOOST_TEST(event["hops"][0]["place"] == "here");
  BOOST_TEST(event["nodes"].empty());
}

BOOST_AUTO_TEST_CASE(an_event_is_one_line_whatever_names_have_in_them) {
  auto state = running();
  state.model = "a\nb\xff";
  auto text = state_event_json(state);
  BOOST_TEST(text.find('\n') == std::string::npos);
  BOOST_TEST(Json::parse(text)["model"] == "a\nb\xef\xbf\xbd");
}

BOOST_AUTO_TEST_CASE(the_cluster_has_the_plan_beside_what_was_measured) {
  auto state = running();
  state.totals.recoveries = 2;
  state.forecast.resize(2);
  state.forecast[0].row_ns = 100'000;
  state.forecast[0].rows16_ns = 280'000;
  state.forecast[0].rows64_ns = 800'000;
  auto cluster = Json::parse(cluster_json(state));
  BOOST_TEST(cluster["object"] == "cluster");
  BOOST_TEST(cluster["epoch"] == 3);
  auto time = cluster["hops"][1]["segment_us"];
  BOOST_TEST(time["measured"].get<double>() == 300.0, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(time["planned"].get<double>() == 280.0, boost::test_tools::tolerance(1e-9));
  // Stage 1 has computed nothing yet.
  BOOST_TEST(cluster["hops"][2]["segment_us"]["measured"].is_null());
  BOOST_TEST(!cluster["hops"][1].contains("recent"));
  BOOST_TEST(!cluster["hops"][0].contains("segment_us"));
}

BOOST_AUTO_TEST_CASE(a_lost_node_its_layers_elsewhere_and_the_pause_are_news) {
  auto before = running();
  auto now = before;
  now.nodes[1].is_lost = true;
  now.places[1] = "n3 (h:3)";
  now.totals.recoveries = 1;
  now.totals.paused_us = 151'000;
  check_news(before, now,
             {"n2 (h:2) was lost", "stage 1 (layer 4) is on n3 (h:3) now",
              "the text goes on, after a pause of 0.15 s"});
}

BOOST_AUTO_TEST_CASE(a_node_whose_parts_are_elsewhere_was_lost_until_it_has_a_part_again) {
  auto before = running();
  auto now = before;
  now.places[1] = "n3 (h:3)";
  note_losses(before, now);
  BOOST_TEST(!now.nodes[0].is_lost);
  BOOST_TEST(now.nodes[1].is_lost);
  BOOST_TEST(!now.nodes[2].is_lost);
  auto later = running();
  later.places = now.places;
  note_losses(now, later);
  BOOST_TEST(later.nodes[1].is_lost);
  auto back = running();
  note_losses(later, back);
  BOOST_TEST(!back.nodes[1].is_lost);
  // Whether a node that never had a part is there, is not known from parts.
  BOOST_TEST(!now.nodes[2].is_lost);
}

BOOST_AUTO_TEST_CASE(nodes_that_come_and_go_are_news) {
  auto before = running();
  before.nodes[0].is_lost = true;
  auto now = running();
  now.nodes.pop_back();
  now.nodes.push_back({"n4 (h:4)"});
  check_news(before, now, {"n1 (h:1) is back", "n4 (h:4) has joined", "n3 (h:3) has left"});
}

BOOST_AUTO_TEST_CASE(the_start_and_growing_counters_are_no_news) {
  check_news({}, running(), {});
  auto later = running();
  later.totals.tokens += 100;
  later.sessions.clear();
  check_news(running(), later, {});
}

BOOST_AUTO_TEST_SUITE_END()
