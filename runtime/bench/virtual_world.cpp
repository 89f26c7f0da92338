#include "runtime/bench/virtual_world.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <fmt/format.h>

#include "actors/cluster/coordinator.hpp"
#include "actors/emulation/emulation.hpp"
#include "actors/emulation/home.hpp"
#include "actors/emulation/later.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/support/text_error.hpp"
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

/// Far more than any answer takes: only a session that hangs reaches these limits.
void never_give_up(Request& request) {
  request.progress_limit = std::chrono::hours(1);
  request.close_limit = std::chrono::hours(1);
}

caf::behavior alarm(caf::event_based_actor* self, EmulationTime time,
                    const std::function<void()>& act) {
  self->delayed_send(self, std::max(time - self->clock().now(), EmulationSpan::zero()), tick_a_v);
  return {[self, act](tick_a) {
    act();
    self->quit();
  }};
}

}  // namespace

struct VirtualWorld::System {
  System(const Engine& engine_of, const BenchCase& case_of, const DeviceProfile& profile,
         WorldChoices how)
      : engine(engine_of), what(case_of), choices(std::move(how)) {
    PlacementRequest request;
    request.layers = engine.target().config.layers;
    request.stages = spec_of(what, profile).stages;
    request.empty_stages = true;
    places = place_stages(request);
    policy = policy_of(what, static_cast<std::uint32_t>(places.size()));
    devices = emulation_of(profile, what, places, request.layers, &recording,
                           engine.draft_vocabulary_share());
    if (choices.devices)
      choices.devices(devices);
    way = EmulationSpan{devices.control_link.latency_ns};
    try {
      make();
    } catch (...) {
      end();
      throw;
    }
  }
  ~System() { end(); }
  System(const System&) = delete;
  System& operator=(const System&) = delete;

  EmulationTime now() const { return scheduler.clock().now(); }

  /// Delivers one message, or lets the time pass until the next one. False if there is none.
  bool step() {
    bool goes_on = scheduler.try_run_once() || scheduler.trigger_timeout();
    if (thrown)
      std::rethrow_exception(std::exchange(thrown, nullptr));
    return goes_on;
  }

  void work_off() {
    while (scheduler.try_run_once()) {
    }
  }

  /// Ends the listener. `most`: of messages, until `is_done`.
  template <class Predicate>
  void run_until(Predicate is_done, const caf::actor& listener, const std::string& name,
                 std::uint64_t most) {
    auto start = now();
    std::uint64_t messages = 0;
    try {
      while (!is_done()) {
        bool goes_on = step();
        if (!goes_on || ++messages > most)
          throw RuntimeError(ErrorCode::internal,
                             fmt::format("{} {} after {} messages and {} s of virtual time", name,
                                         goes_on ? "comes to no end" : "hangs", messages,
                                         std::chrono::duration<double>(now() - start).count()));
      }
    } catch (...) {
      end_actor(listener);
      throw;
    }
    end_actor(listener);
    work_off();
  }

  /// Asks, and goes on: the answers are there after wait().
  template <class... Answer, class Handle, class Take, class... Parts>
  void ask(const Handle& whom, Take take, const Parts&... parts) {
    ++open;
    system.spawn([=, this](caf::event_based_actor* self) {
      self->request(whom, caf::infinite, parts...)
          .then(
              [=, this](const Answer&... answer) {
                take(answer...);
                --open;
              },
              [this](const caf::error& error) {
                thrown =
                    std::make_exception_ptr(RuntimeError(error_code(error), error_text(error)));
                --open;
              });
    });
  }

  void wait() {
    while (open > 0)
      if (!step())
        throw RuntimeError(ErrorCode::internal, "a part of the emulated pipeline does not answer");
  }

  void at(EmulationTime time, const std::function<void()>& act) {
    alarms.push_back(system.spawn(alarm, time, std::function<void()>([this, act] {
                                    try {
                                      act();
                                    } catch (...) {
                                      thrown = std::current_exception();
                                    }
                                  })));
  }

  void wait_until(EmulationTime time) {
    ++open;
    at(time, [this] { --open; });
    wait();
  }

  Assembly assembly() {
    return {.engine = engine,
            .policy = policy,
            .bar = bar,
            .form = engine.linear_form(),
            .mode = SpawnMode::pooled};
  }

  /// Draft and verifier are on the device of the asker.
  EmulationSpan way_to(std::uint32_t stage) const {
    return devices.draft_on_stage == stage ? EmulationSpan{} : way;
  }

  void add_home(std::uint32_t number, const std::string& name) {
    auto make_stage = [this, number](const StageSpec& spec, const StagePeers& peers) {
      auto config = stage_config(assembly(), spec.stage, places.at(spec.stage).layers, peers);
      config.keeps_output = spec.keeps_output;
      auto stage = emulation->make_stage(std::move(config), SpawnMode::pooled);
      homes.at(number).stages[spec.stage] = stage;
      return stage;
    };
    auto agent = spawn_home(system, {make_stage}, way_to(number));
    homes.push_back({agent, {}});
    caf::anon_send(coordinator, hello_a_v, Peer{agent, name, "emulated", 1});
  }

  StageSpec spec_for(std::uint32_t stage) const {
    StageSpec spec;
    spec.stage = stage;
    spec.first_layer = places[stage].layers.first;
    spec.end_layer = places[stage].layers.end;
    spec.model_file = engine.target().files->path().filename().string();
    spec.max_rows = policy.segment_rows;
    spec.kv_type = engine.kv_type();
    spec.hidden_type = engine.hidden_type();
    spec.taps = engine.draft_taps();
    spec.keeps_output = choices.keeps_output && stage + 1 < places.size();
    return spec;
  }

  void make() {
    emulation.emplace(system, devices);
    coordinator = spawn_coordinator(
        system, {.load_limit = std::chrono::hours(1), .link = emulation->links()});
    auto stages = static_cast<std::uint32_t>(places.size());
    for (std::uint32_t i = 0; i < stages + choices.spares; ++i)
      add_home(i, i < stages ? fmt::format("device {}", i) : fmt::format("spare {}", i - stages));
    auto config = pipeline_config(assembly(), places.size());
    config.link = emulation->links();
    pipeline =
        flowspec::make_pipeline(system, config, [&](std::uint32_t index, const StagePeers& peers) {
          StageHandle handle;
          ask<PipelineActor, ControlActor>(
              homes.at(index).agent,
              [&](const PipelineActor& stage, const ControlActor& control) {
                handle = {stage, control};
              },
              spawn_st_a_v, StageSpecMessage{spec_for(index)}, peers.next, peers.pruner,
              peers.draft);
          wait();
          return handle;
        });
    Placement placement;
    for (std::uint32_t i = 0; i < stages && choices.recovers; ++i) {
      placement.specs.push_back(spec_for(i));
      placement.homes.push_back(homes[i].agent);
    }
    // Verifier, draft, and pruner are not lost.
    if (choices.recovers)
      placement.homes.resize(pipeline.wiring().parts());
    caf::anon_send(coordinator, bind_a_v, pipeline, placement);
    ask<std::vector<StageStatsMessage>>(
        coordinator, [](const std::vector<StageStatsMessage>&) {}, load_a_v);
    wait();
  }

  void make_again() {
    is_making = true;
    do {
      wait_until(now() + way);
      for (std::uint32_t i = 0; i < pipeline.stages.size(); ++i)
        if (!lost.contains(i))
          ask<KeptMessage>(
              pipeline.stages[i].control, [](const KeptMessage&) {}, part_a_v, no_session);
      wait();
      end_pipeline();
      lost.clear();
      make();
      // The connections with the new device are made side by side.
      auto next = homes.back().agent;
      ask<caf::node_id>(
          homes.front().agent, [](const caf::node_id&) {}, connect_a_v, std::string("emulated"),
          std::uint16_t{1});
      wait();
    } while (!lost.empty());
    is_making = false;
  }

  void lose(std::uint32_t stage) {
    if (is_making) {
      lost.insert(stage);
      return;
    }
    auto home = std::ranges::find_if(
        homes, [&](const Home& each) { return !each.is_lost && each.stages.contains(stage); });
    if (home == homes.end())
      throw RuntimeError(
          ErrorCode::internal,
          fmt::format("stage {} was lost already when its device was to be lost once more: let "
                      "--fault do that later",
                      stage));
    lost.insert(stage);
    home->is_lost = true;
    auto kill = [](const auto& actor) {
      caf::anon_send<caf::message_priority::high>(
          caf::actor_cast<caf::actor>(actor),
          caf::exit_msg{caf::actor_addr{}, caf::exit_reason::kill});
    };
    for (const auto& [number, handle] : home->stages)
      kill(handle.stage);
    at(now() + way, [kill, agent = home->agent] { kill(agent); });
  }

  void end() {
    for (const caf::actor& actor : alarms)
      end_actor(actor);
    alarms.clear();
    end_pipeline();
  }

  void end_pipeline() {
    end_actor(coordinator);
    stop_pipeline(system, pipeline);
    for (const Home& home : homes) {
      end_actor(home.agent);
      for (const auto& [number, handle] : home.stages)
        end_actor(handle.stage);
    }
    homes.clear();
    emulation.reset();
    work_off();
  }

  struct Home {
    NodeAgentActor agent;
    /// By number.
    std::map<std::uint32_t, StageHandle> stages;
    bool is_lost = false;
  };

  const Engine& engine;
  const BenchCase& what;
  WorldChoices choices;
  ProgressBar bar{"loading", false};
  std::vector<StagePlace> places;
  DraftPolicy policy;
  Recording recording;
  EmulationConfig devices;
  /// What a message takes to another device.
  EmulationSpan way{};
  VirtualConfig system_config;
  caf::actor_system system{system_config};
  caf::scheduler::test_coordinator& scheduler =
      dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  std::optional<PipelineEmulation> emulation;
  CoordinatorActor coordinator;
  Pipeline pipeline;
  std::vector<Home> homes;
  std::vector<caf::actor> alarms;
  /// Questions that are not answered yet.
  std::size_t open = 0;
  std::exception_ptr thrown;
  /// Stages that are to be made again by make_again().
  std::set<std::uint32_t> lost;
  bool is_making = false;
};

VirtualWorld::VirtualWorld(const Engine& engine, const BenchCase& what,
                           const DeviceProfile& profile, WorldChoices choices)
    : system_(std::make_unique<System>(engine, what, profile, std::move(choices))) {}

VirtualWorld::~VirtualWorld() = default;

EmulationTime VirtualWorld::now() const {
  return system_->now();
}

const Recording& VirtualWorld::recording() const {
  return system_->recording;
}

Report VirtualWorld::run(Request request, const std::string& name) {
  System& world = *system_;
  std::optional<Report> report;
  never_give_up(request);
  auto listener = world.system.spawn(client, &report);
  request.client = listener;
  world.ask<SessionId>(
      world.coordinator, [](SessionId) {}, submit_a_v, request);
  world.run_until([&] { return report.has_value(); }, listener, name, most_messages);
  return std::move(*report);
}

LoadLog VirtualWorld::carry(Load load) {
  System& world = *system_;
  auto result = std::make_shared<LoadResult>();
  std::uint64_t answers = load.requests.size();
  for (Request& request : load.requests)
    never_give_up(request);
  if (load.beside) {
    never_give_up(*load.beside);
    answers += 1 + load.beside->prompt.size() / 1024;
  }
  auto client = spawn_load_client(world.system, world.coordinator, std::move(load), result);
  world.run_until([&] { return result->is_done; }, client, "the load", answers * most_messages);
  return take_log(*result);
}

void VirtualWorld::at(EmulationTime time, std::function<void()> act) {
  system_->at(time, act);
}

void VirtualWorld::lose(std::uint32_t stage) {
  system_->lose(stage);
}

void VirtualWorld::make_again() {
  system_->make_again();
}

}  // namespace flowspec
