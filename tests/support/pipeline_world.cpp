#include "tests/support/pipeline_world.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "actors/support/text_error.hpp"
#include "tests/support/world_system.hpp"

namespace flowspec::test {

namespace {

caf::behavior client_actor(caf::event_based_actor*, std::optional<Report>* report,
                           std::size_t* pieces, std::vector<TokenLogprob>* logprobs) {
  return {
      [pieces, logprobs](const TextDeltaMessage& message) {
        ++*pieces;
        if (auto delta = message.read())
          std::ranges::move(delta->tokens, std::back_inserter(*logprobs));
      },
      [report](const ReportMessage& message) {
        if (auto content = message.read())
          *report = std::move(*content);
      },
  };
}

}  // namespace

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
  config.draft_kv.slots = options_.draft_kv_slots;
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
        stage.kv.slots = options_.kv_slots;
        stage.keeps_output =
            options_.homes > 0 && options_.keeps_output && index + 1 < options_.stages;
        auto actor = spawn_stage(world.system, std::move(stage), SpawnMode::pooled);
        return {actor, actor};
      });

  world.file = file;
  world.model = model;
  world.link = config.link;
  world.pipeline_config = config;
  if (options_.homes > 0)
    make_homes();
  world.load(world.pipeline.draft);
  world.load(world.pipeline.verifier);
  for (const StageHandle& stage : world.pipeline.stages)
    world.load(stage.stage);
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
    for (const caf::actor& part : home.parts)
      world.end(part);
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
  auto client =
      world.system.spawn(client_actor, &world.reports[id], &world.pieces[id], &world.logprobs[id]);
  world.clients.push_back(client);

  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.sampling = sampler_options(sampling);
  request.tokenizer = world.tokenizer;
  request.keep = conversation.keep;
  request.grows = conversation.grows;
  request.client = client;
  if (options_.homes > 0) {
    caf::anon_send(world.coordinator, submit_a_v, request);
    return id;
  }
  auto number = conversation.same_number_as != 0 ? conversation.same_number_as : id;
  auto config = make_session(request, number, world.pipeline.pruner,
                             {0, conversation.prefix_session, conversation.cached_tokens});
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

std::string PipelineWorld::refusal(std::vector<Token> prompt, std::uint32_t max_tokens) {
  System& world = *system_;
  Request request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  auto asked = world.self->request(world.coordinator, caf::infinite, submit_a_v, request);
  world.run_all();
  std::string refusal;
  asked.receive([](SessionId) {}, [&](const caf::error& error) { refusal = error_text(error); });
  return refusal;
}

void PipelineWorld::evict(SessionId session) {
  caf::anon_send(system_->pipeline.pruner, evict_a_v, session);
}

const std::optional<Report>& PipelineWorld::report(SessionId session) const {
  return system_->reports.at(session);
}

std::size_t PipelineWorld::pieces(SessionId session) const {
  return system_->pieces.at(session);
}

const std::vector<TokenLogprob>& PipelineWorld::logprobs(SessionId session) const {
  return system_->logprobs.at(session);
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

std::string_view PipelineWorld::actor_of(std::size_t job) const {
  const auto* actor = dynamic_cast<const caf::local_actor*>(system_->scheduler.jobs[job]);
  return actor != nullptr ? actor->name() : std::string_view();
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
  auto stats = hop.stats(0);
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
