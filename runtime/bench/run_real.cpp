#include <chrono>
#include <optional>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "runtime/bench/load_run.hpp"
#include "runtime/bench/runner.hpp"
#include "runtime/bench/setup.hpp"
#include "runtime/cluster/ask.hpp"
#include "runtime/console/error.hpp"
#include "runtime/run/planned_run.hpp"
#include "runtime/run/run.hpp"
#include "runtime/run/submit.hpp"
#include "runtime/run/with_actors.hpp"

namespace flowspec {

namespace {

constexpr std::chrono::seconds answer_limit{10};

/// Emulated devices are slow: a forward may take nearly a minute.
constexpr std::chrono::minutes progress_limit{10};

/// The counts of stages, verifier and draft, by device.
std::vector<DeviceUse> ask_devices(caf::scoped_actor& self, const Run& run) {
  auto answers =
      ask<std::vector<StageStatsMessage>>(self, run.coordinator(), answer_limit, stats_a_v);
  std::vector<DeviceUse> devices{{"draft"}};
  for (std::size_t i = 0; i < answers.size() && answers.size() == run.hops().size(); ++i) {
    auto stats = answers[i].read();
    if (!stats)
      continue;
    // The verifier shares the draft's device.
    const auto& name = run.hops()[i].name;
    auto& use = name.starts_with("stage ") ? devices.emplace_back(DeviceUse{name}) : devices[0];
    use.busy_s += static_cast<double>(stats->busy_ns) * 1e-9;
    if (name == "draft")
      continue;
    use.segments += stats->segments;
    use.rows_computed += stats->rows_computed;
    use.rows_dropped += stats->rows_dropped;
  }
  return devices;
}

/// Adds devices without a recording: they are on nodes, or not emulated.
void add_missing(const std::vector<DeviceUse>& devices, BenchRun& run) {
  for (const DeviceUse& device : devices)
    if (std::ranges::find(run.devices, device.name, &DeviceUse::name) == run.devices.end())
      run.devices.push_back(device);
}

/// Answers all prompts, one after another. Gives the answers.
std::vector<std::vector<Token>> measure_texts(caf::scoped_actor& self, const Engine& engine,
                                              const Run& pipeline,
                                              const std::vector<BenchPrompt>& prompts,
                                              const Recording& recording, BenchRun& run) {
  std::vector<DecodeWindow> windows;
  std::vector<std::vector<Token>> texts;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    auto request = request_of(engine, run.what, prompts[i], i);
    request.progress_limit = progress_limit;
    request.close_limit = std::chrono::minutes(1);
    auto start = self->clock().now();
    submit(self, pipeline.coordinator(), request);
    auto report = receive_report(self, request);
    windows.push_back(add_report(report, start, i, run));
    texts.push_back(std::move(report.tokens));
  }
  recording.count(windows, run);
  return texts;
}

/// The same, and then so many at once as the case says.
std::vector<std::vector<Token>> measure_loads(caf::scoped_actor& self, const Engine& engine,
                                              const Run& pipeline,
                                              const std::vector<BenchPrompt>& prompts,
                                              const Recording& recording, BenchRun& run) {
  auto carry = [&](Load load, std::size_t) {
    auto result = std::make_shared<LoadResult>();
    auto zero = self->clock().now();
    self->wait_for(
        spawn_load_client(self->system(), pipeline.coordinator(), std::move(load), result));
    return CarriedLoad{take_log(*result), zero, &recording};
  };
  return run_loads(engine, prompts, carry, run);
}

void measure(caf::actor_system& system, const Engine& engine, const RunSpec& named,
             const RunChanges& changes, const std::vector<BenchPrompt>& prompts,
             const BenchExtras& extras, const Recording& recording, BenchRun& run) {
  // Emulated devices are as fast as their profile says, whatever the nodes have measured.
  const auto spec = changes.emulation
                        ? named
                        : planned(system, engine, named, longest_text(engine, run.what, prompts));
  Run pipeline(system, engine, spec, changes);
  caf::scoped_actor self(system);
  auto zero = self->clock().now();
  bool is_loaded = !run.what.load.at_once.empty();
  auto texts = is_loaded ? measure_loads(self, engine, pipeline, prompts, recording, run)
                         : measure_texts(self, engine, pipeline, prompts, recording, run);
  add_missing(ask_devices(self, pipeline), run);
  if (extras.texts != nullptr)
    *extras.texts = std::move(texts);
  if (extras.trace != nullptr)
    *extras.trace = recording.trace(zero);
}

}  // namespace

BenchRun run_real(const BenchCase& what, const std::vector<BenchPrompt>& prompts,
                  const BenchNodes& nodes, const BenchExtras& extras) {
  auto profile = profile_of(what);
  auto spec = spec_of(what, profile);
  spec.cluster = named_cluster(nodes.cluster_file, nodes.nodes);
  bool is_remote = !spec.cluster.nodes.empty();
  if (is_remote && profile && profile->draft_place != DraftPlace::own_device)
    throw RuntimeError(
        fmt::format("the profile {} has the draft on a stage's device, which can't be emulated "
                    "with stages on nodes: leave out --node and --cluster, or take a profile "
                    "without \"on_stage\"",
                    what.profile));
  Engine engine(spec);
  Recording recording;  // outlives the actors that write to it
  RunChanges changes;
  changes.policy = [&](std::uint32_t stages) { return policy_of(what, stages); };
  if (profile)
    changes.emulation = [&](const std::vector<StagePlace>& places) {
      return emulation_of(*profile, what, places, engine.target().config.layers, &recording,
                          engine.draft_vocabulary_share());
    };
  BenchRun run;
  run.what = what;
  run.hidden_type = spec.hidden_type;
  with_system(spec.cluster, nodes.network, [&](caf::actor_system& system) {
    measure(system, engine, spec, changes, prompts, extras, recording, run);
  });
  return run;
}

}  // namespace flowspec
