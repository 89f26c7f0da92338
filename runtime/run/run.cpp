#include "runtime/run/run.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/wire/transport_module.hpp"
#include "actors/policy/modes/modes.hpp"
#include "actors/policy/user_draft_memory.hpp"
#include "actors/support/end_actor.hpp"
#include "messages/limits.hpp"
#include "models/base/error.hpp"
#include "models/model_hash.hpp"
#include "models/numerics.hpp"
#include "runtime/cluster/ask.hpp"
#include "runtime/cluster/returning_nodes.hpp"
#include "runtime/console/one_line.hpp"

namespace flowspec {

namespace {

constexpr std::chrono::seconds spawn_limit{20};

/// A stage that is computing may take longer to end.
constexpr std::chrono::seconds end_limit{3};

}  // namespace

Run::Run(caf::actor_system& system, const Engine& engine, const RunSpec& spec,
         const RunChanges& changes)
    : system_(system),
      engine_(engine),
      spec_(spec),
      numerics_(engine.numerics()),
      form_(engine.linear_form()) {
  const Cluster& cluster = spec.cluster;
  PlacementRequest request;
  request.layers = engine.target().config.layers;
  request.nodes = cluster.nodes.size();
  request.stages = spec.stages;
  // The cluster file's layers apply to one stage per node.
  request.split = spec.split.empty() && (!spec.stages || *spec.stages == request.nodes)
                      ? cluster.layers
                      : spec.split;
  places_ = place_stages(request);
  auto stages = static_cast<std::uint32_t>(places_.size());
  policy_ = changes.policy ? changes.policy(stages) : mode_policy(spec.mode, stages).value();
  is_mode_policy_ = !changes.policy;
  policy_.adaptive = policy_.adaptive && spec.controller;
  if (!spec.coupled)
    policy_.coupled = policy_.calibrated = false;
  policy_.lookup = policy_.lookup && may_have_weights(engine.draft_name());
  threads_ = engine.threads();

  coordinator_ = spawn_coordinator(system, {spec.load_limit});
  if (changes.emulation)
    emulation_.emplace(system, changes.emulation(places_));
  try {
    join(cluster);
    claim_memory();
    show_bar("loading");
    make_stages();
    load();
    bar_->end();
  } catch (...) {
    end();
    throw;
  }
}

Run::~Run() {
  end();
}

/// Waits until the memory of all stages is free: the next run may need it.
void Run::end() {
  caf::scoped_actor self(system_);
  auto open = parts_.size();
  for (const caf::actor& part : parts_)
    self->monitor(part);
  parts_.clear();
  end_actor(returning_);
  end_actor(coordinator_);
  auto limit = std::chrono::steady_clock::now() + end_limit;
  while (open > 0 && std::chrono::steady_clock::now() < limit)
    self->receive([&](const caf::down_msg&) { --open; },
                  caf::after(std::chrono::milliseconds(100)) >> [] {});
  if (open > 0)
    spdlog::info("{} parts of the pipeline are still busy", open);
}

void Run::join(const Cluster& cluster) {
  if (cluster.nodes.empty())
    return;
  show_bar(fmt::format("connecting to {} node{}", cluster.nodes.size(),
                       cluster.nodes.size() == 1 ? "" : "s"));
  auto all = cluster.nodes;
  all.insert(all.end(), cluster.spares.begin(), cluster.spares.end());
  nodes_ = join_nodes(system_, all, caf::actor_cast<caf::actor>(coordinator_));
  for (const RemoteNode& node : nodes_) {
    caf::anon_send(coordinator_, hello_a_v,
                   Peer{node.agent, node.label(), node.address.host, node.address.port});
    spdlog::info("node {}: {} cores, {}", node.label(), node.info.cores, node.info.numerics);
  }
  agree_on_numerics();
  place_parts();
  connect_neighbours();
  // Emulated stages are not made again.
  if (!emulation_)
    returning_ = watch_for_returns(
        system_, nodes_, coordinator_,
        [numerics = numerics_, hidden_type = engine_.hidden_type()](const NodeInfo& info) {
          auto own = with_hidden_type(info.numerics, hidden_type);
          return common_numerics(numerics, own) == numerics
                     ? std::string()
                     : fmt::format("it computes with numerics {}, this run with {}", own, numerics);
        });
  hash();
}

void Run::place_parts() {
  std::vector<NamedNode> names;
  for (const RemoteNode& node : nodes_)
    names.push_back({node.address.text(), node.info.name});
  auto roles = roles_with_weights(spec_.cluster.roles, engine_.has_weights_for(Part::verifier),
                                  engine_.has_weights_for(Part::draft));
  part_places_ = place_roles(roles, names, places_.back().node, "here");
  bool is_remote =
      std::ranges::any_of(part_places_, [](const auto& place) { return place.has_value(); });
  if (is_remote && emulation_)
    throw RuntimeError(
        "--place is not for emulated devices: there the draft and the verifier have a "
        "device of their own, which the profile describes");
  if (part_places_.at(static_cast<std::size_t>(Part::draft)) && !is_mode_policy_)
    throw RuntimeError("--place: a draft whose policy the benchmark changes has to be here");
}

/// One connection serves both directions.
void Run::connect_neighbours() {
  const auto homes = placement_homes();
  std::set<std::pair<caf::actor_addr, caf::actor_addr>> connected;
  auto node_of = [this](const NodeAgentActor& home) -> const RemoteNode& {
    return *std::ranges::find(nodes_, home, &RemoteNode::agent);
  };
  for (const auto& [from, to] : hops_between_nodes(Wiring(places_.size()), homes)) {
    const auto& a = homes[from];
    const auto& b = homes[to];
    if (connected.insert(std::minmax({a.address(), b.address()})).second)
      connect_nodes(system_, node_of(a), node_of(b));
  }
}

std::vector<NodeAgentActor> Run::placement_homes() const {
  std::vector<NodeAgentActor> homes;
  for (const StagePlace& place : places_)
    homes.push_back(nodes_[place.node].agent);
  for (const auto& place : part_places_)
    homes.push_back(place ? nodes_[*place].agent : NodeAgentActor{});
  return homes;
}

void Run::hash() {
  if (!engine_.known_hash().empty()) {
    model_hash_ = engine_.known_hash();
    return;
  }
  show_bar("hashing " + one_line(model_name()));
  model_hash_ = hash_model(*engine_.target().files, user_hash_cache(), bar_->part());
}

void Run::show_bar(const std::string& title) {
  bar_.reset();  // the one before is gone before the next comes
  bar_.emplace(title, spec_.shows_progress);
}

std::string Run::model_name() const {
  return engine_.target().files->path().filename().string();
}

void Run::agree_on_numerics() {
  for (const RemoteNode& node : nodes_) {
    auto common =
        common_numerics(numerics_, with_hidden_type(node.info.numerics, engine_.hidden_type()));
    if (!common)
      throw RuntimeError(ErrorCode::does_not_fit,
                         fmt::format("node {} computes with numerics {}, this machine with {}: the "
                                     "text would depend on where the layers lie",
                                     node.label(), node.info.numerics, numerics_));
    if (engine_.numerics_choice() == NumericsChoice::bf16 && !has_bf16_family(*common))
      throw RuntimeError(
          ErrorCode::does_not_fit,
          fmt::format("--numerics bf16 cannot be: node {} computes with numerics {}, this machine "
                      "with {}. Leave the option out, or the node",
                      node.label(), node.info.numerics, numerics_));
    numerics_ = *common;
  }
  form_ = form_of_numerics(numerics_, engine_.numerics()).value();
}

Assembly Run::assembly() {
  auto stages = nodes_.empty() ? places_.size() : 0;
  return {engine_,        policy_,
          *bar_,          threads_,
          form_,          SpawnMode::detached,
          memory_,        draft_memory(),
          spec_.kv_slots, static_cast<std::uint32_t>(stages + 1)};
}

DraftMemory Run::draft_memory() const {
  if (engine_.draft_name() == "none" || emulation_)
    return {};
  return user_draft_memory(engine_.pair_name(), memory_place());
}

std::string Run::memory_place() const {
  auto place = fmt::format("{} {} {} {}", spec_.mode, threads_, spec_.coupled, policy_.adaptive);
  for (const StagePlace& stage : places_)
    place += fmt::format(" {}-{}@{}", stage.layers.first, stage.layers.end,
                         nodes_.empty() ? "here" : nodes_[stage.node].label());
  return place;
}

StageHandle Run::make_local_stage(std::uint32_t index, const StagePeers& peers) {
  auto config = stage_config(assembly(), index, places_[index].layers, peers);
  if (emulation_)
    return emulation_->make_stage(std::move(config), SpawnMode::detached);
  auto stage = spawn_stage(system_, std::move(config), SpawnMode::detached);
  return {stage, stage};
}

Placement Run::placement() const {
  Placement placement;
  if (nodes_.empty())
    return placement;
  for (std::uint32_t i = 0; i < places_.size(); ++i)
    placement.specs.push_back(stage_spec(i));
  for (auto part : {Part::verifier, Part::draft, Part::pruner})
    placement.parts.at(static_cast<std::size_t>(part)) = part_spec(part);
  placement.homes = placement_homes();
  placement.most_answer_bytes =
      limits::message_bytes(policy_.segment_rows, engine_.target().config.hidden_size);
  return placement;
}

/// A node gives no more than its own limit.
std::uint32_t Run::asked_threads(unsigned threads) const {
  return spec_.threads != 0 || threads == 1 ? threads : limits::threads;
}

PartSpec Run::part_spec(Part part) const {
  PartSpec spec;
  spec.part = part;
  spec.stages = static_cast<std::uint32_t>(places_.size());
  spec.model_file = model_name();
  spec.model_hash = model_hash_;
  spec.numerics = numerics_;
  spec.threads = asked_threads(threads_);
  spec.max_rows = part == Part::draft ? draft_rows : policy_.segment_rows;
  spec.kv_type = engine_.kv_type();
  spec.hidden_type = engine_.hidden_type();
  spec.sends_features = engine_.draft_reads_features() && engine_.draft_taps().empty();
  spec.mode = spec_.mode;
  spec.adaptive = policy_.adaptive;
  spec.coupled = spec_.coupled;
  spec.lookup = policy_.lookup;
  spec.draft = engine_.draft_file();
  if (part != Part::draft || !part_places_.at(static_cast<std::size_t>(part)))
    return spec;
  spec.draft_hash = engine_.draft().hash(user_hash_cache());
  spec.draft_type = engine_.draft().type;
  spec.draft_vocabulary = engine_.draft().vocabulary;
  if (engine_.draft_name() != "none") {
    spec.memory_pair = engine_.pair_name();
    spec.memory_place = memory_place();
  }
  return spec;
}

StageSpec Run::stage_spec(std::uint32_t index) const {
  const StagePlace& place = places_[index];
  StageSpec spec;
  spec.stage = index;
  spec.first_layer = place.layers.first;
  spec.end_layer = place.layers.end;
  spec.model_file = model_name();
  spec.model_hash = model_hash_;
  spec.numerics = numerics_;
  spec.threads = asked_threads(threads_);
  spec.max_rows = policy_.segment_rows;
  spec.kv_type = engine_.kv_type();
  spec.hidden_type = engine_.hidden_type();
  spec.taps = engine_.draft_taps();
  if (emulation_)
    spec.emulation = emulation_->stage(index);
  spec.keeps_output = index + 1 < places_.size();
  spec.kv_slots = spec_.kv_slots;
  return spec;
}

StageHandle Run::make_remote_stage(std::uint32_t index, const StagePeers& peers) {
  const StagePlace& place = places_[index];
  caf::scoped_actor self(system_);
  StageHandle handle;
  std::string error;
  auto code = ErrorCode::internal;
  self->request(nodes_[place.node].agent, spawn_limit, spawn_st_a_v,
                StageSpecMessage{stage_spec(index)}, peers.next, peers.pruner, peers.draft)
      .receive(
          [&](const PipelineActor& stage, const ControlActor& control) {
            handle = {stage, control};
          },
          [&](const caf::error& e) {
            code = error_code(e);
            error = e == caf::sec::request_timeout
                        ? fmt::format("node {} does not answer", nodes_[place.node].label())
                        : fmt::format("{}: {}", nodes_[place.node].address.text(), error_text(e));
          });
  if (!error.empty())
    throw RuntimeError(code, error);
  return handle;
}

caf::actor Run::make_remote_part(Part part, const TreePrunerActor& pruner,
                                 const DraftActor& draft) {
  const auto& place = part_places_.at(static_cast<std::size_t>(part));
  if (!place)
    return nullptr;
  caf::scoped_actor self(system_);
  try {
    return ask<caf::actor>(self, nodes_[*place].agent, spawn_limit, spawn_pt_a_v,
                           PartSpecMessage{part_spec(part)},
                           part == Part::pruner ? TreePrunerActor{} : pruner,
                           part == Part::verifier ? draft : DraftActor{});
  } catch (const RuntimeError& e) {
    throw RuntimeError(e.code(), fmt::format("{}: {}", nodes_[*place].address.text(), e.what()));
  }
}

/// Every node is told who sends to its parts, and whom it has to watch.
void Run::bind_remote_parts(const Pipeline& pipeline) {
  auto where = placement();
  expect_answers(system_, pipeline, where);
  caf::scoped_actor self(system_);
  for (const Binding& binding : bindings_of(system_, pipeline, where))
    ask<done_a>(self, binding.home, spawn_limit, bind_a_v, binding.part, binding.receivers,
                binding.senders);
}

void Run::claim_memory() {
  std::vector<LayerRange> here;
  if (nodes_.empty())
    for (const StagePlace& place : places_)
      here.push_back(place.layers);
  auto is_here = [this](Part part) { return !part_places_.at(static_cast<std::size_t>(part)); };
  auto needed = engine_.needed_bytes(here, policy_.segment_rows, draft_rows,
                                     is_here(Part::verifier), is_here(Part::draft));
  try {
    claim_ = memory_.claim(needed);
  } catch (const ModelError& e) {
    throw RuntimeError(
        ErrorCode::does_not_fit,
        fmt::format("{} of {} and the draft {} do not fit into the memory of this machine: {}",
                    here.empty() ? "the LM head" : "the layers", model_name(), engine_.draft_name(),
                    e.what()));
  }
}

void Run::make_stages() {
  auto config = pipeline_config(assembly(), places_.size());
  if (emulation_)
    config.link = emulation_->links();
  config.make_part = [this](Part part, const TreePrunerActor& pruner, const DraftActor& draft) {
    return make_remote_part(part, pruner, draft);
  };
  auto pipeline =
      make_pipeline(system_, config, [this](std::uint32_t index, const StagePeers& peers) {
        auto stage =
            nodes_.empty() ? make_local_stage(index, peers) : make_remote_stage(index, peers);
        parts_.push_back(caf::actor_cast<caf::actor>(stage.stage));
        return stage;
      });
  parts_.push_back(caf::actor_cast<caf::actor>(pipeline.verifier));
  parts_.push_back(caf::actor_cast<caf::actor>(pipeline.draft));
  if (!nodes_.empty())
    bind_remote_parts(pipeline);
  // Emulated devices are not made again, nor is what is here.
  caf::anon_send(coordinator_, bind_a_v, pipeline, emulation_ ? Placement{} : placement());

  for (std::size_t i = 0; i < places_.size(); ++i)
    hops_.push_back({fmt::format("stage {}", i),
                     nodes_.empty() ? "here" : nodes_[places_[i].node].label(), places_[i].layers});
  for (auto part : {Part::verifier, Part::draft}) {
    const auto& place = part_places_.at(static_cast<std::size_t>(part));
    hops_.push_back({part == Part::verifier ? "verifier" : "draft",
                     place ? nodes_[*place].label() : "here",
                     {}});
  }
}

void Run::load() {
  caf::scoped_actor self(system_);
  // The coordinator has a limit for every hop; this limit is for the coordinator itself.
  ask<std::vector<StageStatsMessage>>(self, coordinator_, spec_.load_limit + spawn_limit, load_a_v);
}

}  // namespace flowspec
