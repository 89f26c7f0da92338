#include "tests/support/pipeline_world.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <fmt/format.h>

#include "actors/cluster/coordinator.hpp"
#include "actors/pipeline/hop.hpp"
#include "actors/pipeline/pipeline.hpp"
#include "actors/pipeline/session.hpp"
#include "actors/policy/drafter.hpp"
#include "actors/support/sampler_options.hpp"
#include "actors/type_ids.hpp"
#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/tokenizer/tokenizer.hpp"

namespace flowspec::test {

namespace {

struct Config : caf::actor_system_config {
  Config() {
    add_message_types<caf::id_block::flowspec_messages>();
    add_message_types<caf::id_block::flowspec_actors>();
    set("scheduler.policy", caf::atom("testing"));
  }
};

caf::behavior client_actor(caf::event_based_actor*, std::optional<Report>* report,
                           std::size_t* pieces) {
  return {
      [pieces](const TextDeltaMessage&) { ++*pieces; },
      [report](const ReportMessage& message) {
        if (auto content = message.read())
          *report = std::move(*content);
      },
  };
}

template <class Handle>
caf::resumable* job_of(const Handle& handle) {
  return dynamic_cast<caf::resumable*>(caf::actor_cast<caf::abstract_actor*>(handle));
}

/// The layers of stage `index` of `stages` that share the model's.
LayerRange share_of(const ModelConfig& model, std::uint32_t index, std::uint32_t stages) {
  return {model.layers * index / stages, model.layers * (index + 1) / stages};
}

StageConfig stage_of(const std::shared_ptr<GgufFile>& file, const ModelConfig& model,
                     std::uint32_t index, LayerRange layers, std::uint32_t rows) {
  StageConfig stage;
  stage.stage = index;
  stage.vocab_size = model.vocab_size;
  stage.load = [=]() -> caf::expected<std::unique_ptr<StageModel>> {
    return std::make_unique<StageModel>(*file, model, StageOptions{layers, 1, rows});
  };
  return stage;
}

/// Makes stages, as a node's agent does.
using MakeHomeStage = std::function<PipelineActor(const StageSpec& spec, const StagePeers& peers)>;

NodeAgentActor::behavior_type home_actor(NodeAgentActor::pointer self, MakeHomeStage make) {
  return {
      [](hello_a) -> caf::result<NodeInfoMessage> { return NodeInfoMessage{}; },
      [](speed_a, const std::string&, std::uint16_t) { return NodeInfoMessage{}; },
      [](link_a, const std::string&, std::uint16_t) { return NodeInfoMessage{}; },
      [](probe_a, const std::string&, std::uint16_t) {},
      [](lost_a, std::uint32_t, const std::string&) {},
      [](status_a) { return std::vector<StageStatsMessage>{}; },
      [self](connect_a, const std::string&, std::uint16_t) { return self->node(); },
      [](bind_a, const PipelineActor&, const PipelineActor&,
         const caf::node_id&) -> caf::result<done_a> { return done_a_v; },
      [=](spawn_st_a, const StageSpecMessage& message, const caf::node_id&,
          const PipelineActor& next, const TreePrunerActor& pruner,
          const DraftActor& draft) -> caf::result<PipelineActor, ControlActor> {
        auto spec = message.read();
        if (!spec)
          return spec.error();
        auto stage = make(*spec, {next, pruner, draft});
        return {stage, stage};
      },
  };
}

}  // namespace

struct PipelineWorld::System {
  Config config;
  caf::actor_system system{config};
  caf::scheduler::test_coordinator& scheduler =
      dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  caf::scoped_actor self{system, true};
  /// By name: the one that was opened last.
  std::map<std::string, caf::actor> channels;
  std::vector<caf::actor> all_channels;
  std::map<caf::resumable*, std::string> channel_jobs;
  std::map<std::string, ChannelState> channel_states;
  std::shared_ptr<const Tokenizer> tokenizer;
  Pipeline pipeline;
  CoordinatorActor coordinator;
  std::map<SessionId, SessionActor> sessions;
  std::map<SessionId, std::optional<Report>> reports;
  std::map<SessionId, std::size_t> pieces;
  std::vector<caf::actor> clients;
  std::shared_ptr<GgufFile> file;
  ModelConfig model;
  struct Home {
    NodeAgentActor agent;
    std::vector<PipelineActor> stages;
  };
  std::vector<Home> homes;
  /// By number: the one that was made last.
  std::map<std::uint32_t, PipelineActor> stages;
  LinkMaker link;

  void run_all() {
    while (scheduler.try_run_once()) {
    }
  }

  /// A channel to `target`, which logs to `log` if there is one.
  caf::actor open_channel(const std::string& name, caf::actor target, std::vector<Delivery>* log) {
    auto& state = channel_states[name];
    state.name = name;
    state.log = log;
    auto channel = spawn_channel(system, std::move(target), &state);
    channels.insert_or_assign(name, channel);
    all_channels.push_back(channel);
    channel_jobs.emplace(job_of(channel), name);
    return channel;
  }

  template <class Actor>
  void load(const Actor& actor) {
    auto request = self->request(actor, caf::infinite, load_a_v);
    run_all();
    request.receive([](const StageStatsMessage&) {},
                    [](const caf::error& e) { throw std::runtime_error(caf::to_string(e)); });
  }

  void end(const caf::actor& actor) { caf::anon_send_exit(actor, caf::exit_reason::kill); }
};

PipelineWorld::PipelineWorld(WorldOptions options)
    : options_(std::move(options)), system_(std::make_unique<System>()) {
  System& world = *system_;
  auto file = std::make_shared<GgufFile>(GgufFile::open(options_.model));
  auto model = read_config(*file);
  auto rows = options_.policy.segment_rows;
  if (options_.knows_end)
    world.tokenizer = std::make_shared<const Tokenizer>(Tokenizer::from_gguf(*file));

  PipelineConfig config;
  config.stages = options_.stages;
  config.policy = options_.policy;
  config.load_draft = [this]() -> caf::expected<std::unique_ptr<DraftModel>> {
    return options_.draft ? options_.draft() : nullptr;
  };
  config.load_head = [file, model, rows]() -> caf::expected<std::unique_ptr<LmHead>> {
    return std::make_unique<LmHead>(*file, model, 1, rows);
  };
  config.max_rows = rows;
  config.send_features = options_.send_features;
  config.mode = SpawnMode::pooled;
  config.probe = this;
  config.link = [&world, this](const std::string& from, const std::string& to, caf::actor target) {
    if (from == to && !options_.holds_drafting)  // an actor's own mailbox
      return target;
    return world.open_channel(from + " > " + to, std::move(target),
                              options_.keeps_log ? &log_ : nullptr);
  };
  world.pipeline = make_pipeline(
      world.system, config, [&](std::uint32_t index, const StagePeers& peers) -> StageHandle {
        auto stage = stage_of(file, model, index, share_of(model, index, options_.stages), rows);
        stage.peers = peers;
        stage.probe = this;
        stage.taps = options_.taps;
        stage.keeps_output =
            options_.homes > 0 && options_.keeps_output && index + 1 < options_.stages;
        auto actor = spawn_stage(world.system, std::move(stage), SpawnMode::pooled);
        return {actor, actor};
      });

  world.file = file;
  world.model = model;
  world.link = config.link;
  if (options_.homes > 0)
    make_homes();
  world.load(world.pipeline.draft);
  world.load(world.pipeline.verifier);
  for (const StageHandle& stage : world.pipeline.stages)
    world.load(stage.stage);
}

/// The agents, the coordinator, and what it has to know to make stages again.
void PipelineWorld::make_homes() {
  System& world = *system_;
  CoordinatorConfig config;
  config.link = world.link;
  world.coordinator = spawn_coordinator(world.system, config);
  for (std::uint32_t home = 0; home < options_.homes; ++home) {
    auto make = [this, &world, home](const StageSpec& spec, const StagePeers& peers) {
      auto stage = stage_of(world.file, world.model, spec.stage, {spec.first_layer, spec.end_layer},
                            spec.max_rows);
      stage.peers = peers;
      stage.probe = this;
      stage.taps = spec.taps;
      stage.keeps_output = spec.keeps_output;
      auto actor = spawn_stage(world.system, std::move(stage), SpawnMode::pooled);
      world.homes[home].stages.push_back(actor);
      world.stages[spec.stage] = actor;
      return actor;
    };
    auto agent = world.system.spawn(home_actor, MakeHomeStage(make));
    world.homes.push_back({agent, {}});
    caf::anon_send(world.coordinator, hello_a_v,
                   Peer{agent, fmt::format("home {}", home), "host", 1});
  }
  Placement placement;
  for (std::uint32_t i = 0; i < options_.stages; ++i) {
    StageSpec spec;
    spec.stage = i;
    spec.model_file = "story.gguf";
    auto layers = share_of(world.model, i, options_.stages);
    spec.first_layer = layers.first;
    spec.end_layer = layers.end;
    spec.max_rows = options_.policy.segment_rows;
    spec.taps = options_.taps;
    spec.keeps_output = options_.keeps_output && i + 1 < options_.stages;
    placement.specs.push_back(spec);
    auto home = i % options_.homes;
    placement.homes.push_back(world.homes[home].agent);
    world.homes[home].stages.push_back(world.pipeline.stages[i].stage);
    world.stages[i] = world.pipeline.stages[i].stage;
  }
  caf::anon_send(world.coordinator, bind_a_v, world.pipeline, placement);
  auto loaded = world.self->request(world.coordinator, caf::infinite, load_a_v);
  world.run_all();
  loaded.receive([](const std::vector<StageStatsMessage>&) {},
                 [](const caf::error& e) { throw std::runtime_error(caf::to_string(e)); });
}

void PipelineWorld::lose_home(std::uint32_t home) {
  auto& lost = system_->homes.at(home);
  for (const PipelineActor& stage : lost.stages)
    caf::anon_send_exit(stage, caf::exit_reason::kill);
  caf::anon_send_exit(lost.agent, caf::exit_reason::remote_link_unreachable);
}

void PipelineWorld::lose_stage(std::uint32_t stage) {
  System& world = *system_;
  auto lost = world.stages.at(stage);
  caf::anon_send_exit(lost, caf::exit_reason::kill);
  for (const System::Home& home : world.homes)
    if (std::ranges::find(home.stages, lost) != home.stages.end())
      caf::actor_cast<caf::actor>(world.coordinator)
          ->enqueue(caf::actor_cast<caf::strong_actor_ptr>(home.agent), caf::make_message_id(),
                    caf::make_message(FaultMessage{{no_session, 0, stage, "it was lost"}}),
                    nullptr);
}

std::size_t PipelineWorld::rows_computed(std::uint32_t stage) const {
  return hop(stage).stats.rows_computed;
}

const std::vector<Token>& PipelineWorld::expected_of(SessionId session) const {
  return options_.homes > 0 ? expected_.begin()->second : expected_.at(session);
}

PipelineWorld::~PipelineWorld() {
  System& world = *system_;
  if (world.coordinator)
    world.end(caf::actor_cast<caf::actor>(world.coordinator));
  for (const auto& [id, session] : world.sessions)
    world.end(caf::actor_cast<caf::actor>(session));
  for (const caf::actor& client : world.clients)
    world.end(client);
  for (const caf::actor& channel : world.all_channels)
    world.end(channel);
  for (const System::Home& home : world.homes) {
    world.end(caf::actor_cast<caf::actor>(home.agent));
    for (const PipelineActor& stage : home.stages)
      world.end(caf::actor_cast<caf::actor>(stage));
  }
  for (const StageHandle& stage : world.pipeline.stages)
    world.end(caf::actor_cast<caf::actor>(stage.stage));
  world.end(caf::actor_cast<caf::actor>(world.pipeline.verifier));
  world.end(caf::actor_cast<caf::actor>(world.pipeline.draft));
  world.end(caf::actor_cast<caf::actor>(world.pipeline.pruner));
  world.run_all();
}

SessionId PipelineWorld::submit(std::vector<Token> prompt, std::uint32_t max_tokens,
                                SamplingParams sampling, std::vector<Token> expected,
                                const Conversation& conversation) {
  System& world = *system_;
  auto id = static_cast<SessionId>(world.reports.size() + 1);
  if (conversation.same_number_as == 0)
    expected_[id] = std::move(expected);
  auto client = world.system.spawn(client_actor, &world.reports[id], &world.pieces[id]);
  world.clients.push_back(client);

  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling = sampler_options(sampling);
  request.tokenizer = world.tokenizer;
  request.keep = conversation.keep;
  request.prefix_session = conversation.prefix_session;
  request.cached_tokens = conversation.cached_tokens;
  request.context = conversation.position_limit != 0 ? conversation.position_limit + 1 : 0;
  request.client = client;
  if (options_.homes > 0) {
    caf::anon_send(world.coordinator, submit_a_v, request);
    return id;
  }
  auto number = conversation.same_number_as != 0 ? conversation.same_number_as : id;
  auto config = make_session(request, number, options_.policy, world.pipeline.pruner);
  world.sessions.emplace(id, spawn_session(world.system, std::move(config)));
  return id;
}

std::string PipelineWorld::fault_of(const OpenMessage& request) {
  System& world = *system_;
  caf::anon_send(world.pipeline.pruner, submit_a_v, request,
                 caf::actor_cast<SessionActor>(caf::actor_cast<caf::actor>(world.self)));
  world.run_all();
  std::string error;
  world.self->receive(
      [&](const FaultMessage& message) {
        if (auto fault = message.read())
          error = fault->error;
      },
      caf::after(std::chrono::seconds(0)) >> [] {});
  return error;
}

void PipelineWorld::cancel(SessionId session) {
  if (options_.homes > 0)
    caf::anon_send(system_->coordinator, CancelMessage{{session}});
  else
    caf::anon_send(system_->sessions.at(session), CancelMessage{{session}});
}

const std::optional<Report>& PipelineWorld::report(SessionId session) const {
  return system_->reports.at(session);
}

std::size_t PipelineWorld::pieces(SessionId session) const {
  return system_->pieces.at(session);
}

bool PipelineWorld::all_reported() const {
  return std::all_of(
      system_->reports.begin(), system_->reports.end(),
      [](const auto& entry) { return entry.second.has_value(); });
}

caf::actor PipelineWorld::channel(const std::string& name) const {
  return system_->channels.at(name);
}

const std::string& PipelineWorld::channel_of(std::size_t job) const {
  static const std::string none;
  auto found = system_->channel_jobs.find(system_->scheduler.jobs[job]);
  return found == system_->channel_jobs.end() ? none : found->second;
}

void PipelineWorld::run_job(std::size_t index) {
  auto& jobs = system_->scheduler.jobs;
  std::rotate(jobs.begin(), jobs.begin() + static_cast<std::ptrdiff_t>(index),
              jobs.begin() + static_cast<std::ptrdiff_t>(index) + 1);
  ++deliveries_;
  system_->scheduler.run_once();
}

std::vector<std::string> PipelineWorld::waiting() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < system_->scheduler.jobs.size(); ++i)
    if (const auto& name = channel_of(i); !name.empty())
      names.push_back(name);
  return names;
}

bool PipelineWorld::pass(const std::string& channel) {
  for (std::size_t i = 0; i < system_->scheduler.jobs.size(); ++i)
    if (channel_of(i) == channel) {
      run_job(i);
      return true;
    }
  return false;
}

bool PipelineWorld::deliver(const std::string& channel) {
  settle();
  bool passed = pass(channel);
  settle();
  return passed;
}

void PipelineWorld::settle() {
  auto& jobs = system_->scheduler.jobs;
  for (std::size_t i = 0; i < jobs.size();) {
    if (!channel_of(i).empty()) {
      ++i;
      continue;
    }
    run_job(i);
    i = 0;
  }
}

void PipelineWorld::run(const std::set<std::string>& held) {
  auto& jobs = system_->scheduler.jobs;
  for (std::size_t i = 0; i < jobs.size();) {
    if (held.contains(channel_of(i))) {
      ++i;
      continue;
    }
    run_job(i);
    i = 0;
  }
}

void PipelineWorld::lose_next(const std::string& channel) {
  ++system_->channel_states.at(channel).losing;
}

void PipelineWorld::lose_restored(const std::string& channel) {
  ++system_->channel_states.at(channel).losing_restored;
}

std::vector<StageStats> PipelineWorld::statistics() {
  System& world = *system_;
  if (!world.coordinator) {
    world.coordinator = spawn_coordinator(world.system);
    caf::anon_send(world.coordinator, bind_a_v, world.pipeline, Placement{});
  }
  auto request = world.self->request(world.coordinator, caf::infinite, stats_a_v);
  auto& jobs = world.scheduler.jobs;
  std::set<caf::resumable*> on_the_way{job_of(world.coordinator)};
  auto next = [&] {
    return std::find_if(jobs.begin(), jobs.end(),
                        [&](caf::resumable* job) { return on_the_way.contains(job); });
  };
  for (auto job = next(); job != jobs.end(); job = next())
    run_job(static_cast<std::size_t>(job - jobs.begin()));
  settle();
  std::vector<StageStats> all;
  request.receive(
      [&](const std::vector<StageStatsMessage>& answers) {
        for (const StageStatsMessage& answer : answers)
          all.push_back(answer.read().value());
      },
      [](const caf::error& e) { throw std::runtime_error(caf::to_string(e)); });
  return all;
}

void PipelineWorld::advance(std::chrono::milliseconds time) {
  system_->scheduler.advance_time(time);
}

bool PipelineWorld::run_chosen(const Choose& choose) {
  ready_.clear();
  for (std::size_t i = 0; i < system_->scheduler.jobs.size(); ++i)
    ready_.push_back(&channel_of(i));
  if (ready_.empty())
    return false;
  run_job(choose(ready_));
  return true;
}

const Delivery& PipelineWorld::last(const std::string& channel) const {
  auto found = std::find_if(log_.rbegin(), log_.rend(),
                            [&](const Delivery& delivery) { return delivery.channel == channel; });
  if (found == log_.rend())
    throw std::out_of_range("nothing was delivered by " + channel);
  return *found;
}

std::size_t PipelineWorld::slots_used() const {
  return std::accumulate(
      hops_.begin(), hops_.end(), std::size_t{0},
      [](std::size_t sum, const auto& entry) { return sum + entry.second.stats.kv_slots_used; });
}

void PipelineWorld::after_hop(const HopSessions& hop) {
  auto stats = hop.stats();
  Hop& seen = hops_[stats.stage];
  seen = {};
  seen.stats = stats;
  auto broken = hop.broken_invariant();
  for (const auto& [id, session] : hop.all()) {
    seen.versions[id] = session.view.version();
    auto committed = session.view.committed_tokens();
    if (options_.keeps_log) {
      seen.committed[id].assign(committed.begin(), committed.end());
      for (const LiveView::Node& node : session.view.live())
        seen.live[id].push_back(node.id);
    }
    const auto& expected = expected_of(id);
    if (!broken && (committed.size() > expected.size() ||
                    !std::equal(committed.begin(), committed.end(), expected.begin())))
      broken = fmt::format("stage {} committed {} tokens that are not the text", stats.stage,
                           committed.size());
  }
  if (broken && !broken_)
    broken_ = broken;
}

void PipelineWorld::after_draft(const Drafter& drafter, std::size_t in_flight) {
  in_flight_ = in_flight;
  auto broken = drafter.broken_invariant();
  auto window = std::max(options_.policy.window, options_.policy.widest_window);
  if (!broken && in_flight > window)
    broken = fmt::format("{} segments in flight, the window is {}", in_flight, window);
  if (broken && !broken_)
    broken_ = broken;
}

}  // namespace flowspec::test
