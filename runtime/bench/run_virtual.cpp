#include <optional>

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <fmt/format.h>

#include "actors/support/end_actor.hpp"
#include "actors/support/text_error.hpp"
#include "actors/type_ids.hpp"
#include "runtime/bench/runner.hpp"
#include "runtime/bench/setup.hpp"
#include "runtime/console/error.hpp"
#include "runtime/run/assembly.hpp"

namespace flowspec {

namespace {

/// More messages than the answer to any prompt takes: beyond it, messages must be in a loop.
constexpr std::uint64_t most_messages = 100'000'000;

struct VirtualConfig : caf::actor_system_config {
  VirtualConfig() {
    add_message_types<caf::id_block::flowspec_messages>();
    add_message_types<caf::id_block::flowspec_actors>();
    // Everything runs on this thread, and the clock advances only when nothing else is left to do.
    set("scheduler.policy", caf::atom("testing"));
  }
};

caf::behavior client(caf::event_based_actor*, std::optional<Report>* report) {
  return {
      [](const TextDeltaMessage&) {},
      [report](const ReportMessage& message) {
        if (auto content = message.read())
          *report = std::move(*content);
      },
  };
}

/// A pipeline on emulated devices, and its virtual clock.
class VirtualWorld {
 public:
  VirtualWorld(const BenchCase& what, const BenchExtras& extras)
      : what_(what), profile_(profile_of(what)), engine_(spec_of(what, checked_profile())) {
    PlacementRequest request;
    request.layers = engine_.target().config.layers;
    request.stages = spec_of(what, profile_).stages;
    request.empty_stages = true;
    places_ = place_stages(request);
    policy_ = policy_of(what, static_cast<std::uint32_t>(places_.size()));
    auto devices = emulation_of(*profile_, what, places_, request.layers, &recording_,
                                engine_.draft_vocabulary_share());
    if (extras.devices)
      extras.devices(devices);
    emulation_.emplace(system_, std::move(devices));
    make_pipeline();
    try {
      load();
    } catch (...) {
      end();
      throw;
    }
  }
  ~VirtualWorld() { end(); }
  VirtualWorld(const VirtualWorld&) = delete;
  VirtualWorld& operator=(const VirtualWorld&) = delete;

  EmulationTime now() const { return scheduler_.clock().now(); }
  const Recording& recording() const { return recording_; }
  HiddenType hidden_type() const { return engine_.hidden_type(); }

  /// Runs one session to its end.
  Report run(const BenchPrompt& prompt, std::size_t index) {
    std::optional<Report> report;
    auto request = request_of(engine_, what_, prompt, index);
    // Far more than any answer takes: only a session that hangs reaches these limits.
    request.progress_limit = std::chrono::hours(1);
    request.close_limit = std::chrono::hours(1);
    request.client = system_.spawn(client, &report);
    auto session =
        spawn_session(system_, make_session(request, index + 1, policy_, pipeline_.pruner));
    auto start = now();
    std::uint64_t messages = 0;
    while (!report) {
      bool goes_on = scheduler_.try_run_once() || scheduler_.trigger_timeout();
      if (!goes_on || ++messages > most_messages) {
        end_actor(session);
        end_actor(request.client);
        auto seconds = std::chrono::duration<double>(now() - start).count();
        throw RuntimeError(
            ErrorCode::internal,
            fmt::format("prompt {} {} after {} messages and {} s of virtual time", index + 1,
                        goes_on ? "comes to no end" : "hangs", messages, seconds));
      }
    }
    end_actor(request.client);
    work_off();
    return std::move(*report);
  }

 private:
  const std::optional<DeviceProfile>& checked_profile() const {
    if (!profile_)
      throw RuntimeError("virtual time needs a device profile; name one, such as paper-7b");
    return profile_;
  }

  void work_off() {
    while (scheduler_.try_run_once()) {
    }
  }

  void make_pipeline() {
    const Assembly assembly{
        .engine = engine_, .policy = policy_, .bar = bar_, .mode = SpawnMode::pooled};
    auto config = pipeline_config(assembly, places_.size());
    config.link = emulation_->links();
    pipeline_ =
        flowspec::make_pipeline(system_, config, [&](std::uint32_t index, const StagePeers& peers) {
          return emulation_->make_stage(stage_config(assembly, index, places_[index].layers, peers),
                                        SpawnMode::pooled);
        });
  }

  template <class Handle>
  void load_one(const Handle& actor) {
    caf::scoped_actor self(system_, true);
    auto request = self->request(actor, caf::infinite, load_a_v);
    work_off();
    request.receive(
        [](const StageStatsMessage&) {},
        [](const caf::error& error) { throw RuntimeError(error_code(error), error_text(error)); });
  }

  void load() {
    load_one(pipeline_.draft);
    load_one(pipeline_.verifier);
    for (const StageHandle& stage : pipeline_.stages)
      load_one(stage.stage);
  }

  void end() {
    stop_pipeline(system_, pipeline_);
    emulation_.reset();
    work_off();
  }

  const BenchCase& what_;
  std::optional<DeviceProfile> profile_;
  Engine engine_;
  ProgressBar bar_{"loading", false};
  std::vector<StagePlace> places_;
  DraftPolicy policy_;
  Recording recording_;
  VirtualConfig config_;
  caf::actor_system system_{config_};
  caf::scheduler::test_coordinator& scheduler_ =
      dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  std::optional<PipelineEmulation> emulation_;
  Pipeline pipeline_;
};

}  // namespace

BenchRun run_virtual(const BenchCase& what, const std::vector<BenchPrompt>& prompts,
                     const BenchExtras& extras) {
  VirtualWorld world(what, extras);
  BenchRun run;
  run.what = what;
  run.hidden_type = world.hidden_type();
  auto zero = world.now();
  std::vector<DecodeWindow> windows;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    auto start = world.now();
    auto report = world.run(prompts[i], i);
    windows.push_back(add_report(report, start, i, run));
    if (extras.texts != nullptr)
      extras.texts->push_back(std::move(report.tokens));
  }
  world.recording().count(windows, run);
  if (extras.trace != nullptr)
    *extras.trace = world.recording().trace(zero);
  return run;
}

}  // namespace flowspec
