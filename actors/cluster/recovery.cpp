#include "actors/cluster/recovery.hpp"

#include <algorithm>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "actors/cluster/wire/transport_module.hpp"
#include "actors/support/end_actor.hpp"
#include "actors/support/text_error.hpp"

namespace flowspec {

namespace {

/// A hop may be computing: it looks at its mailbox afterwards.
constexpr std::chrono::seconds hop_limit{30};
constexpr std::chrono::seconds connect_limit{3};
constexpr std::chrono::seconds spawn_limit{20};

}  // namespace

Recovery::Recovery(Start start, Events events)
    : self_(start.self),
      pipeline_(std::move(start.pipeline)),
      placement_(std::move(start.placement)),
      peers_(std::move(start.peers)),
      lost_(std::move(start.lost)),
      cut_(std::move(start.cut)),
      link_(std::move(start.link)),
      last_session_(start.last_session),
      load_limit_(start.load_limit),
      events_(std::move(events)) {}

void Recovery::start() {
  part();
}

void Recovery::give_up() {
  ++attempt_;
  end_made();
}

void Recovery::end_made() {
  for (auto stage : made_)
    end_actor(pipeline_.stages[stage].stage);
  made_.clear();
}

void Recovery::fail(const std::string& why) {
  give_up();
  events_.failed(why);
}

/// Goes on when every request of a step has been answered.
void Recovery::answered(void (Recovery::*next)()) {
  if (--open_ == 0)
    (this->*next)();
}

void Recovery::part() {
  open_ = 1;
  ++open_;
  self_->request(pipeline_.draft, hop_limit, part_a_v, last_session_)
      .then(guard<KeptMessage>([this](const KeptMessage& message) {
              auto kept = message.read();
              self_->send(pipeline_.pruner, part_a_v, kept ? kept->segment : SegmentId{0},
                          last_session_);
              answered(&Recovery::place);
            }),
            guard<caf::error>([this](const caf::error& error) {
              fail("the draft does not answer: " + error_text(error));
            }));
  auto ask = [this](std::uint32_t hop, const ControlActor& control) {
    ++open_;
    self_->request<caf::message_priority::high>(control, hop_limit, part_a_v, last_session_)
        .then(guard<KeptMessage>([this, hop](const KeptMessage& kept) { parted(hop, kept); }),
              guard<caf::error>([this, hop](const caf::error& error) {
                if (hop == stages())
                  return fail("the verifier does not answer: " + error_text(error));
                spdlog::info("stage {} does not answer: {}", hop, error_text(error));
                lost_.insert(hop);
                answered(&Recovery::place);
              }));
  };
  for (std::uint32_t i = 0; i < stages(); ++i)
    if (!is_lost(i))
      ask(i, pipeline_.stages[i].control);
  ask(stages(), pipeline_.verifier);
  answered(&Recovery::place);
}

void Recovery::parted(std::uint32_t hop, const KeptMessage& message) {
  if (auto kept = message.read())
    kept_[hop] = std::move(*kept);
  answered(&Recovery::place);
}

void Recovery::place() {
  for (auto stage : lost_)
    placement_.homes[stage] = nullptr;
  for (auto stage : lost_) {
    auto home = best_home(stage);
    if (!home) {
      std::vector<std::string> reasons;
      for (const auto& [id, why] : refused_[stage])
        reasons.push_back(why);
      const StageSpec& spec = placement_.specs[stage];
      return fail(fmt::format("no node can take its layers {} to {}{}{}", spec.first_layer,
                              spec.end_layer - 1, reasons.empty() ? "" : ": ",
                              fmt::join(reasons, "; ")));
    }
    placement_.homes[stage] = home;
  }
  connect();
}

/// The one with the fewest stages: spares first.
NodeAgentActor Recovery::best_home(std::uint32_t stage) const {
  NodeAgentActor best;
  std::ptrdiff_t fewest = 0;
  auto refused = refused_.find(stage);
  for (const auto& [address, peer] : peers_) {
    if (refused != refused_.end() && refused->second.contains(address))
      continue;
    auto stages = std::ranges::count(placement_.homes, peer.agent);
    if (!best || stages < fewest) {
      best = peer.agent;
      fewest = stages;
    }
  }
  return best;
}

/// Neighbours are connected directly, so that their segments do not pass through this process.
void Recovery::connect() {
  open_ = 1;
  for (std::uint32_t i = 0; i + 1 < stages(); ++i) {
    bool is_new = is_lost(i) || is_lost(i + 1) || cut_.contains(i);
    if (!is_new || placement_.homes[i] == placement_.homes[i + 1])
      continue;
    ++open_;
    const Peer& from = home_of(i);
    const Peer& to = home_of(i + 1);
    auto refused = [this, i, name = from.name](const caf::error& error) {
      auto why = fmt::format("node {}: {}", name, error_text(error));
      if (!is_lost(i) && !is_lost(i + 1)) {
        // Both are well, and do not meet: the first one's layers go elsewhere.
        end_actor(pipeline_.stages[i].stage);
        lost_.insert(i);
        return refuse(i, why);
      }
      refuse(is_lost(i + 1) ? i + 1 : i, why);
    };
    self_->request(from.agent, connect_limit, connect_a_v, to.host, to.port)
        .then(guard<caf::node_id>([this](const caf::node_id&) { answered(&Recovery::spawn); }),
              guard<caf::error>(refused));
  }
  answered(&Recovery::spawn);
}

/// From the last stage to the first: each is told the one behind it.
void Recovery::spawn() {
  auto next = std::ranges::find_if(lost_.rbegin(), lost_.rend(),
                                   [this](std::uint32_t stage) { return !made_.contains(stage); });
  if (next == lost_.rend())
    return load();
  auto stage = *next;
  auto peers = peers_of(stage);
  const Peer& home = home_of(stage);
  const StageSpec& spec = placement_.specs[stage];
  if (stage + 1 == stages())
    expect_data(self_->system(), caf::actor_cast<caf::actor>(pipeline_.verifier), home.agent.node(),
                placement_.most_answer_bytes);
  if (!spec.taps.empty())
    expect_data(self_->system(), caf::actor_cast<caf::actor>(pipeline_.draft), home.agent.node(),
                placement_.most_answer_bytes * spec.taps.size());
  self_
      ->request(home.agent, spawn_limit, spawn_st_a_v, StageSpecMessage{spec}, node_before(stage),
                peers.next, peers.pruner, peers.draft)
      .then(guard<PipelineActor, ControlActor>(
                [this, stage](const PipelineActor& made, const ControlActor& control) {
                  spawned(stage, {made, control});
                }),
            guard<caf::error>(
                [this, stage](const caf::error& error) { refuse(stage, error_text(error)); }));
}

void Recovery::spawned(std::uint32_t stage, const StageHandle& handle) {
  pipeline_.stages[stage] = handle;
  made_.insert(stage);
  spawn();
}

void Recovery::load() {
  open_ = 1 + lost_.size();
  for (auto stage : lost_)
    self_->request(pipeline_.stages[stage].stage, load_limit_, load_a_v)
        .then(guard<StageStatsMessage>(
                  [this](const StageStatsMessage&) { answered(&Recovery::bind); }),
              guard<caf::error>([this, stage](const caf::error& error) {
                refuse(stage, fmt::format("node {}: {}", home_of(stage).name, error_text(error)));
              }));
  answered(&Recovery::bind);
}

/// All hops hear of it before the first session opens: what travels from hop to hop could be faster
/// than what they are told from here.
void Recovery::bind() {
  open_ = 1;
  for (std::uint32_t i = 0; i < stages(); ++i) {
    auto done = guard<done_a>([this](done_a) { answered(&Recovery::bound); });
    auto failed =
        guard<caf::error>([this, i](const caf::error& error) { lose(i, error_text(error)); });
    std::uint32_t is_new = is_lost(i + 1) ? 1 : 0;
    ++open_;
    self_
        ->request(pipeline_.stages[i].stage, hop_limit, bind_a_v,
                  caf::actor_cast<caf::actor>(peers_of(i).next), is_new)
        .then(done, failed);
    if (is_lost(i))
      continue;
    ++open_;
    self_
        ->request(home_of(i).agent, hop_limit, bind_a_v, pipeline_.stages[i].stage, behind(i),
                  node_before(i))
        .then(done, failed);
  }
  answered(&Recovery::bound);
}

void Recovery::bound() {
  made_.clear();
  events_.done(*this);
}

void Recovery::lose(std::uint32_t stage, const std::string& why) {
  spdlog::info("stage {} does not answer: {}", stage, why);
  ++attempt_;
  end_made();
  lost_.insert(stage);
  place();
}

void Recovery::refuse(std::uint32_t stage, const std::string& why) {
  spdlog::info("stage {} goes to another node: {}", stage, why);
  ++attempt_;
  end_made();
  refused_[stage][placement_.homes[stage].address()] = why;
  place();
}

caf::node_id Recovery::node_before(std::uint32_t stage) const {
  return stage == 0 ? self_->node() : placement_.homes[stage - 1].node();
}

PipelineActor Recovery::behind(std::uint32_t stage) const {
  return stage + 1 == stages() ? pipeline_.verifier : pipeline_.stages[stage + 1].stage;
}

StagePeers Recovery::peers_of(std::uint32_t stage) const {
  StagePeers peers{behind(stage), pipeline_.pruner, pipeline_.draft};
  if (!link_)
    return peers;
  auto name = fmt::format("stage {}", stage);
  auto next = stage + 1 == stages() ? "verifier" : fmt::format("stage {}", stage + 1);
  auto link = [&]<class Handle>(const std::string& to, const Handle& target) {
    return caf::actor_cast<Handle>(link_(name, to, caf::actor_cast<caf::actor>(target)));
  };
  return {link(next, peers.next), link("pruner", peers.pruner), link("draft", peers.draft)};
}

const Peer& Recovery::home_of(std::uint32_t stage) const {
  return peers_.at(placement_.homes[stage].address());
}

Position Recovery::cached(SessionId session) const {
  auto at = [&](std::size_t hop) -> KeptSession {
    auto kept = kept_.find(hop);
    if (kept == kept_.end())
      return {};
    auto found = std::ranges::find(kept->second.sessions, session, &KeptSession::session);
    return found == kept->second.sessions.end() ? KeptSession{} : *found;
  };
  auto least = at(stages()).tokens;
  for (std::uint32_t i = 0; i < stages(); ++i)
    if (!is_lost(i))
      least = std::min(least, at(i).tokens);
    else if (i > 0 && !is_lost(i - 1))
      least = std::min(least, at(i - 1).restorable);
  return least;
}

std::set<SessionId> Recovery::kept() const {
  std::set<SessionId> all;
  for (const auto& [hop, kept] : kept_)
    for (const KeptSession& session : kept.sessions)
      all.insert(session.session);
  return all;
}

std::string Recovery::outcome() const {
  std::vector<std::string> moves;
  for (auto stage : lost_)
    moves.push_back(fmt::format("layers {} to {} are on node {} now",
                                placement_.specs[stage].first_layer,
                                placement_.specs[stage].end_layer - 1, home_of(stage).name));
  return moves.empty() ? "the nodes are connected again"
                       : fmt::format("{}", fmt::join(moves, ", "));
}

}  // namespace flowspec
