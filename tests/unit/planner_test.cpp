/// Plans are as good as the best of all plans that can be written down, and say what they leave out.

#include "runtime/cluster/planner.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

#include <boost/test/unit_test.hpp>

#include "runtime/console/error.hpp"

using namespace flowspec;

namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30U;
constexpr double never = std::numeric_limits<double>::infinity();

/// Time of a token of one plan by the definition in planner.hpp; infinite if it breaks a rule.
double token_time(const PlanRequest& request, const std::vector<std::size_t>& nodes,
                  const std::vector<std::uint32_t>& ends) {
  auto step = request.head_s;
  auto trip = request.head_s;
  auto previous = request.nodes.size();
  auto bytes = request.first_bytes;
  auto cross = [&](std::size_t to) {
    const PlanLink& link = request.links[previous][to];
    if (!link.reaches)
      return false;
    auto busy = link.bytes_per_s > 0 ? bytes / link.bytes_per_s : 0;
    step = std::max(step, busy);
    trip += busy + link.latency_s;
    previous = to;
    bytes = request.hop_bytes;
    return true;
  };
  std::uint32_t first = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const PlanNode& node = request.nodes[nodes[i]];
    auto memory = request.stage_memory;
    std::uint64_t kv = 0;
    auto seconds = node.stage_s;
    for (auto layer = first; layer < ends[i]; ++layer) {
      memory += request.layers[layer].weights + request.layers[layer].kv;
      kv += request.layers[layer].kv;
      seconds += node.layer_s[layer];
    }
    if (!node.refusal.empty() || memory > node.memory || kv > node.kv_limit || !cross(nodes[i]))
      return never;
    step = std::max(step, seconds);
    trip += seconds;
    first = ends[i];
  }
  if (!cross(request.nodes.size()))
    return never;
  return request.pipelined * step + (1 - request.pipelined) * trip;
}

/// The best of all orders of all subsets of the nodes, with all ways to cut the layers.
class BruteForce {
 public:
  explicit BruteForce(const PlanRequest& request) : request_(request) { extend(0); }
  double best() const { return best_; }

 private:
  void extend(std::uint32_t first) {
    auto layers = static_cast<std::uint32_t>(request_.layers.size());
    if (first == layers) {
      best_ = std::min(best_, token_time(request_, nodes_, ends_));
      return;
    }
    for (std::size_t node = 0; node < request_.nodes.size(); ++node) {
      if (std::ranges::find(nodes_, node) != nodes_.end())
        continue;
      nodes_.push_back(node);
      for (auto end = first + 1; end <= layers; ++end) {
        ends_.push_back(end);
        extend(end);
        ends_.pop_back();
      }
      nodes_.pop_back();
    }
  }

  const PlanRequest& request_;
  std::vector<std::size_t> nodes_;
  std::vector<std::uint32_t> ends_;
  double best_ = never;
};

/// Up to six nodes, of few different speeds, so that there are ties; some links are missing, some
/// nodes hold little or nothing.
PlanRequest random_request(std::mt19937& random) {
  auto pick = [&](int from, int to) { return std::uniform_int_distribution(from, to)(random); };
  auto chance = [&](int percent) { return pick(1, 100) <= percent; };
  PlanRequest request;
  request.layers.resize(static_cast<std::size_t>(pick(1, 6)));
  for (PlanLayer& layer : request.layers)
    layer = {static_cast<std::uint64_t>(pick(1, 3)), static_cast<std::uint64_t>(pick(0, 2))};
  auto nodes = pick(1, 6);
  for (int i = 0; i < nodes; ++i) {
    PlanNode node;
    node.name = std::string(1, static_cast<char>('a' + i));
    auto speed = pick(1, 4);
    for (std::size_t layer = 0; layer < request.layers.size(); ++layer)
      node.layer_s.push_back(chance(70) ? speed : pick(1, 8));
    node.stage_s = chance(50) ? 0 : pick(1, 3);
    node.memory = static_cast<std::uint64_t>(chance(50) ? 1000 : pick(0, 15));
    node.kv_limit = static_cast<std::uint64_t>(chance(70) ? 1000 : pick(0, 6));
    node.refusal = chance(5) ? "not today" : "";
    request.nodes.push_back(node);
  }
  auto missing = chance(50) ? 0 : pick(0, 60);
  for (int from = 0; from <= nodes; ++from) {
    auto& row = request.links.emplace_back();
    for (int to = 0; to <= nodes; ++to)
      row.push_back({!chance(missing), 0.5 * pick(0, 6), static_cast<double>(pick(0, 4))});
  }
  request.stage_memory = static_cast<std::uint64_t>(pick(0, 2));
  request.first_bytes = pick(0, 2);
  request.hop_bytes = pick(0, 12);
  request.head_s = pick(0, 4);
  request.pipelined = std::array{0.0, 0.5, 0.75, 1.0}.at(static_cast<std::size_t>(pick(0, 3)));
  return request;
}

double token_time(const PlanRequest& request, const Plan& plan) {
  std::vector<std::size_t> nodes;
  std::vector<std::uint32_t> ends;
  std::uint32_t first = 0;
  for (const PlannedStage& stage : plan.stages) {
    BOOST_TEST(stage.layers.first == first);
    first = stage.layers.end;
    nodes.push_back(stage.node);
    ends.push_back(stage.layers.end);
  }
  BOOST_TEST(first == request.layers.size());
  return token_time(request, nodes, ends);
}

/// Nodes that compute a layer in these times, everything reached in no time, memory for everything.
PlanRequest cluster(std::uint32_t layers, const std::vector<double>& layer_s) {
  PlanRequest request;
  request.layers.assign(layers, {gib / 4, gib / 64});
  for (std::size_t i = 0; i < layer_s.size(); ++i)
    request.nodes.push_back({std::string(1, static_cast<char>('a' + i)),
                             std::vector<double>(layers, layer_s[i]), 0, 100 * gib, 100 * gib});
  request.links.assign(layer_s.size() + 1, std::vector<PlanLink>(layer_s.size() + 1, {true, 0, 0}));
  request.hop_bytes = 1e6;
  request.pipelined = 0.75;
  return request;
}

void delay(PlanRequest& request, std::size_t node, double latency_s) {
  for (std::size_t other = 0; other < request.links.size(); ++other)
    request.links[node][other].latency_s = request.links[other][node].latency_s = latency_s;
}

std::string error_of(const PlanRequest& request) {
  try {
    make_plan(request);
  } catch (const RuntimeError& e) {
    return e.what();
  }
  return {};
}

bool has(const std::string& text, const std::string& part) {
  BOOST_TEST_INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(no_plan_is_better_than_the_planners_in_a_thousand_random_clusters) {
  std::mt19937 random(20261128);
  int without_plan = 0;
  int with_nodes_left_out = 0;
  for (int i = 0; i < 1000; ++i) {
    BOOST_TEST_CONTEXT("cluster " << i) {
      auto request = random_request(random);
      auto best = BruteForce(request).best();
      if (best == never) {
        ++without_plan;
        BOOST_TEST(!error_of(request).empty());
        continue;
      }
      auto plan = make_plan(request);
      BOOST_TEST(plan.token_s == best, boost::test_tools::tolerance(1e-12));
      BOOST_TEST(token_time(request, plan) == best, boost::test_tools::tolerance(1e-12));
      BOOST_TEST(plan.stages.size() + plan.left_out.size() == request.nodes.size());
      with_nodes_left_out += plan.left_out.empty() ? 0 : 1;
    }
  }
  // All kinds are among them.
  BOOST_TEST(without_plan > 100);
  BOOST_TEST(without_plan < 600);
  BOOST_TEST(with_nodes_left_out > 100);
}

BOOST_AUTO_TEST_CASE(layers_are_shared_out_by_speed) {
  auto request = cluster(14, {0.004, 0.001, 0.002});
  request.pipelined = 1;
  auto plan = make_plan(request);
  std::vector<std::uint32_t> layers(3);
  for (const PlannedStage& stage : plan.stages)
    layers[stage.node] = stage.layers.size();
  BOOST_TEST((layers == std::vector<std::uint32_t>{2, 8, 4}));
  BOOST_TEST(plan.step_s == 0.008, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(plan.trip_s == 0.024, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(nodes_stay_in_the_order_of_the_list_where_another_is_hardly_better) {
  auto request = cluster(8, {1, 1});
  auto order = [&] {
    std::vector<std::size_t> nodes;
    for (const PlannedStage& stage : make_plan(request).stages)
      nodes.push_back(stage.node);
    return nodes;
  };
  // The way to the first node is a little longer than that to the second.
  request.links[2][0].latency_s = 0.01 * make_plan(request).token_s;
  BOOST_TEST(order() == (std::vector<std::size_t>{1, 0}), boost::test_tools::per_element());
  request.slack = 0.05;
  BOOST_TEST(order() == (std::vector<std::size_t>{0, 1}), boost::test_tools::per_element());
  request.links[2][0].latency_s = make_plan(request).token_s;
  BOOST_TEST(order() == (std::vector<std::size_t>{1, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(plain_decoding_uses_the_fastest_node_alone) {
  auto request = cluster(14, {0.004, 0.001, 0.002});
  request.pipelined = pipelined_share("ar");
  auto plan = make_plan(request);
  BOOST_TEST_REQUIRE(plan.stages.size() == 1U);
  BOOST_TEST(plan.stages[0].node == 1U);
  BOOST_TEST(pipelined_share("flowspec") > 0.5);
}

BOOST_AUTO_TEST_CASE(a_weak_node_that_only_adds_latency_is_left_out_with_the_figures) {
  auto request = cluster(16, {0.001, 0.001, 0.05});
  delay(request, 2, 0.04);
  auto plan = make_plan(request);
  BOOST_TEST(plan.stages.size() == 2U);
  BOOST_TEST_REQUIRE(plan.left_out.size() == 1U);
  BOOST_TEST(plan.left_out[0].node == 2U);
  BOOST_TEST(has(plan.left_out[0].why, "tokens would take longer with it"));
  BOOST_TEST(has(plan.left_out[0].why, "a step takes 50.0 ms at best (without it 8.0 ms)"));
  BOOST_TEST(has(plan.left_out[0].why, "(16.0 ms)"));
}

BOOST_AUTO_TEST_CASE(a_weak_node_is_used_where_memory_needs_it) {
  auto request = cluster(16, {0.001, 0.001, 0.05});
  request.nodes[0].memory = request.nodes[1].memory = 2 * gib;
  auto plan = make_plan(request);
  BOOST_TEST_REQUIRE(plan.stages.size() == 3U);
  for (const PlannedStage& stage : plan.stages)
    BOOST_TEST(stage.memory <= request.nodes[stage.node].memory);
}

BOOST_AUTO_TEST_CASE(the_way_goes_round_a_link_that_is_missing) {
  auto request = cluster(12, {0.001, 0.001, 0.001});
  request.pipelined = 1;
  // Neither reaches the other.
  request.links[0][1].reaches = request.links[1][0].reaches = false;
  auto plan = make_plan(request);
  BOOST_TEST_REQUIRE(plan.stages.size() == 3U);
  BOOST_TEST(plan.stages[1].node == 2U);
}

BOOST_AUTO_TEST_CASE(a_slow_link_is_crossed_where_it_carries_token_ids_only) {
  auto request = cluster(8, {0.001, 0.001});
  // From the asker to a it is slow; hidden states go everywhere else.
  request.links[2][0].bytes_per_s = 1e6;
  request.links[1][0].bytes_per_s = 1e6;
  request.first_bytes = 100;
  auto plan = make_plan(request);
  BOOST_TEST_REQUIRE(plan.stages.size() == 2U);
  BOOST_TEST(plan.stages[0].node == 0U);
}

BOOST_AUTO_TEST_CASE(reasons_name_memory_links_and_what_a_node_says_itself) {
  auto request = cluster(4, {0.001, 0.001, 0.001, 0.001, 0.001});
  request.nodes[1].memory = gib / 8;
  request.nodes[2].refusal = "it does not have the model";
  request.nodes[4].kv_limit = gib / 128;
  for (std::size_t other = 0; other < request.links.size(); ++other)
    request.links[other][3].reaches = false;
  auto plan = make_plan(request);
  BOOST_TEST_REQUIRE(plan.left_out.size() == 4U);
  BOOST_TEST(has(plan.left_out[0].why, "128.0 MiB of free memory hold no layer"));
  BOOST_TEST(has(plan.left_out[0].why, "needs 272.0 MiB"));
  BOOST_TEST(plan.left_out[1].why == "it does not have the model");
  BOOST_TEST(plan.left_out[2].why == "nobody reaches it");
  BOOST_TEST(has(plan.left_out[3].why, "limit of 8.0 MiB for KV"));
}

BOOST_AUTO_TEST_CASE(if_nothing_fits_the_error_has_the_figures) {
  auto request = cluster(32, {0.001, 0.001});
  request.nodes[0].memory = 3 * gib;
  request.nodes[1].memory = 4 * gib;
  auto error = error_of(request);
  BOOST_TEST(has(error, "needs 8.5 GiB"));
  BOOST_TEST(has(error, "512.0 MiB of KV"));
  BOOST_TEST(has(error, "the nodes have 7.0 GiB (a: 3.0 GiB, b: 4.0 GiB)"));

  request = cluster(4, {0.001});
  request.links[1][0].reaches = false;
  BOOST_TEST(has(error_of(request), "can be reached"));

  request = cluster(4, {0.001});
  request.nodes[0].kv_limit = gib / 32;
  BOOST_TEST(has(error_of(request), "64.0 MiB of KV, the nodes allow 32.0 MiB"));

  // Enough together, but no layer is cut in two.
  request = cluster(3, {0.001, 0.001});
  request.nodes[0].memory = request.nodes[1].memory = gib / 2;
  BOOST_TEST(has(error_of(request), "no way through the nodes"));
}

BOOST_AUTO_TEST_CASE(of_many_nodes_the_fast_ones_are_used) {
  std::vector<double> speeds(14, 0.02);
  speeds[3] = speeds[8] = speeds[13] = 0.001;
  auto request = cluster(24, speeds);
  auto plan = make_plan(request);
  BOOST_TEST(plan.stages.size() == 3U);
  BOOST_TEST(plan.step_s == 0.008, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(plan.left_out.size() == 11U);
}

BOOST_AUTO_TEST_CASE(many_nodes_are_used_together_where_memory_needs_them) {
  auto request = cluster(24, std::vector<double>(14, 0.001));
  for (PlanNode& node : request.nodes)
    node.memory = 9 * gib / 16;
  // In a row, each reaches only the next.
  for (std::size_t from = 0; from < 14; ++from)
    for (std::size_t to = 0; to < 14; ++to)
      request.links[from][to].reaches = to == from + 1;
  auto plan = make_plan(request);
  BOOST_TEST(plan.stages.size() == 12U);
  BOOST_TEST(token_time(request, plan) == plan.token_s, boost::test_tools::tolerance(1e-12));
}
