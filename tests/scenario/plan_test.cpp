/// Plans against what emulated devices of very different speed then do, in virtual time.

#include <algorithm>
#include <cmath>
#include <map>

#include <boost/test/unit_test.hpp>

#include "actors/emulation/emulation.hpp"
#include "runtime/bench/runner.hpp"
#include "runtime/cluster/forecast.hpp"
#include "runtime/cluster/profile.hpp"
#include "runtime/run/embedded.hpp"

namespace {

using namespace flowspec;

constexpr std::uint32_t layers = 32;

/// A device, and its links to and from everybody. Slower than the emulated draft, which would set the
/// pace otherwise.
struct Device {
  double layer_ms;
  double latency_ms;
  double mbps;
};

const std::vector<Device>& uneven() {
  static const std::vector<Device> devices{
      {48, 1, 200}, {6, 0.2, 1000}, {24, 4, 500}, {12, 0.5, 1000}};
  return devices;
}

DeviceProfile profile() {
  return read_profile("paper-7b");
}

/// Of the way between two machines, the slower one's rate and both latencies count.
PlanLink link_between(const Device& a, const Device& b) {
  return {true, (a.latency_ms + b.latency_ms) * 1e-3, std::min(a.mbps, b.mbps) * 1e6 / 8};
}

/// The last device of the links is the asker.
constexpr Device asker{0, 0, 10'000};

PlanRequest request_for(const std::vector<Device>& devices, const std::string& mode) {
  PlanRequest request;
  request.layers.assign(layers, {1, 1});
  auto all = devices;
  all.push_back(asker);
  for (const Device& from : all) {
    auto& row = request.links.emplace_back();
    for (const Device& to : all)
      row.push_back(link_between(from, to));
  }
  for (const Device& device : devices)
    request.nodes.push_back(
        {"device", std::vector<double>(layers, device.layer_ms * 1e-3), 0, 1000, 1000});
  auto rows = planned_rows(mode);
  request.first_bytes = rows * 24;
  request.hop_bytes = rows * profile().row_bytes();
  request.head_s = profile().head_seconds(static_cast<std::size_t>(rows));
  request.pipelined = pipelined_share(mode);
  return request;
}

Plan even_split(const std::vector<Device>& devices) {
  Plan plan;
  for (std::uint32_t i = 0; i < devices.size(); ++i)
    plan.stages.push_back({i, {i * 8, (i + 1) * 8}});
  return plan;
}

struct Outcome {
  double tokens_per_s = 0;
  /// Between two segments that leave the slowest stage: the median.
  double step_s = 0;
};

EmulatedLink link_of(const PlanLink& link, std::uint32_t row_bytes) {
  return {static_cast<std::uint64_t>(std::llround(link.bytes_per_s * 8)),
          static_cast<std::uint64_t>(std::llround(link.latency_s * 1e9)), row_bytes};
}

Outcome run(const std::vector<Device>& devices, const Plan& plan, const std::string& mode) {
  auto machine = [&](std::size_t stage) {
    return stage < plan.stages.size() ? devices[plan.stages[stage].node] : asker;
  };
  BenchCase what;
  what.mode = mode;
  what.profile = "paper-7b";
  what.stages = static_cast<std::uint32_t>(plan.stages.size());
  what.max_tokens = 60;
  std::vector<TraceEvent> trace;
  BenchExtras extras{&trace};
  extras.devices = [&](EmulationConfig& config) {
    config.first_link = link_of(link_between(asker, machine(0)), config.first_link.row_bytes);
    for (std::size_t i = 0; i < config.stages.size(); ++i) {
      auto ms = machine(i).layer_ms * plan.stages[i].layers.size();
      config.stages[i].forward = {static_cast<std::uint64_t>(std::llround(ms * 1e6)), 0, 0};
      config.stages[i].link =
          link_of(link_between(machine(i), machine(i + 1)), config.stages[i].link.row_bytes);
    }
  };
  auto file = embedded_file("heldout.jsonl");
  auto prompts = take_prompts(read_prompts(file), file.string(), 2, 2);
  auto bench = run_virtual(what, prompts, extras);
  double seconds = 0;
  double tokens = 0;
  for (const PromptRun& prompt : bench.prompts) {
    seconds += prompt.decode_s;
    tokens += prompt.tokens - 1;
  }

  std::map<std::string, std::vector<TraceEvent>> work;
  for (const TraceEvent& event : trace)
    if (event.kind == TraceEvent::Kind::segment && event.device.starts_with("stage "))
      work[event.device].push_back(event);
  auto length = [](const auto& stage) {
    return stage.second.front().end_s - stage.second.front().start_s;
  };
  auto slowest = std::ranges::max_element(work, {}, length);
  std::vector<double> steps;
  for (std::size_t i = 1; i < slowest->second.size(); ++i)
    steps.push_back(slowest->second[i].end_s - slowest->second[i - 1].end_s);
  BOOST_TEST_REQUIRE(steps.size() > 10U);
  std::ranges::sort(steps);
  auto step = steps[steps.size() / 2];
  BOOST_TEST_MESSAGE(mode << " on " << plan.stages.size() << " devices: " << tokens / seconds
                          << " tokens/s, step " << step * 1e3 << " ms, planned "
                          << plan.step_s * 1e3);
  return {tokens / seconds, step};
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_planned_split_beats_an_even_one_on_uneven_devices) {
  auto plan = make_plan(request_for(uneven(), "flowspec"));
  auto planned = run(uneven(), plan, "flowspec");
  auto even = run(uneven(), even_split(uneven()), "flowspec");
  BOOST_TEST(planned.tokens_per_s >= 1.3 * even.tokens_per_s);
}

BOOST_AUTO_TEST_CASE(the_planned_step_is_that_of_the_emulated_devices) {
  auto plan = make_plan(request_for(uneven(), "flowspec"));
  auto planned = run(uneven(), plan, "flowspec");
  BOOST_TEST(planned.step_s == plan.step_s, boost::test_tools::tolerance(0.1));
}

BOOST_AUTO_TEST_CASE(a_weak_device_that_only_adds_latency_is_left_out_and_would_have_cost_speed) {
  std::vector<Device> devices{{2, 0.2, 1000}, {2, 0.2, 1000}, {40, 60, 20}};
  auto plan = make_plan(request_for(devices, "flowspec"));
  BOOST_TEST_REQUIRE(plan.left_out.size() == 1U);
  BOOST_TEST(plan.left_out[0].node == 2U);
  auto with = plan;
  with.stages.push_back({2, {layers - 1, layers}});
  with.stages[1].layers.end = layers - 1;
  BOOST_TEST(run(devices, plan, "flowspec").tokens_per_s >
             1.1 * run(devices, with, "flowspec").tokens_per_s);
}
