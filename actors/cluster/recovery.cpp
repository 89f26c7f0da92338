#include "actors/cluster/recovery.hpp"

#include <algorithm>
#include <limits>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "actors/support/end_actor.hpp"
#include "actors/support/text_error.hpp"

namespace flowspec {

namespace {

/// A hop may be computing: it looks at its mailbox afterwards.
constexpr std::chrono::seconds hop_limit{30};
/// Four round trips of a far link.
constexpr std::chrono::seconds connect_limit{2};
constexpr std::chrono::seconds spawn_limit{20};

}  // namespace

Recovery::Recovery(Start start, Events events)
    : self_(start.self),
      pipeline_(std::move(start.pipeline)),
      wiring_(pipeline_.wiring()),
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
  for (auto part : made_)
    end_actor(pipeline_.part(part));
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
  if (!is_lost(wiring_.draft()))
    part_draft();
  for (std::uint32_t hop = 0; hop <= wiring_.verifier(); ++hop)
    if (!is_lost(hop))
      part_hop(hop);
  answered(&Recovery::parted);
}

void Recovery::part_draft() {
  auto draft = wiring_.draft();
  ++open_;
  self_->request(pipeline_.draft, hop_limit, part_a_v, last_session_)
      .then(guard<KeptMessage>([this, draft](const KeptMessage& message) {
              if (auto kept = message.read())
                kept_[draft] = std::move(*kept);
              answered(&Recovery::parted);
            }),
            guard<caf::error>([this, draft](const caf::error& error) {
              if (!placement_.homes[draft])
                return fail("the draft does not answer: " + error_text(error));
              lost_.insert(draft);
              answered(&Recovery::parted);
            }));
}

void Recovery::part_hop(std::uint32_t hop) {
  auto control =
      hop == wiring_.verifier() ? ControlActor{pipeline_.verifier} : pipeline_.stages[hop].control;
  ++open_;
  self_->request<caf::message_priority::high>(control, hop_limit, part_a_v, last_session_)
      .then(guard<KeptMessage>([this, hop](const KeptMessage& message) {
              if (auto kept = message.read())
                kept_[hop] = std::move(*kept);
              answered(&Recovery::parted);
            }),
            guard<caf::error>([this, hop](const caf::error& error) {
              if (!placement_.homes[hop])
                return fail(
                    fmt::format("{} does not answer: {}", wiring_.words(hop), error_text(error)));
              spdlog::info("{} does not answer: {}", wiring_.name(hop), error_text(error));
              lost_.insert(hop);
              answered(&Recovery::parted);
            }));
}

/// A new draft goes on with numbers that the one before cannot have reached: sessions number what has
/// happened since.
void Recovery::parted() {
  constexpr unsigned segments_of_a_session = 32;
  auto draft = kept_.find(wiring_.draft());
  last_segment_ = is_lost(wiring_.draft()) || draft == kept_.end()
                      ? (last_session_ + 1) << segments_of_a_session
                      : draft->second.segment;
  if (!is_lost(wiring_.pruner()))
    self_->send(pipeline_.pruner, part_a_v, last_segment_, last_session_);
  place();
}

void Recovery::place() {
  for (auto part : lost_)
    placement_.homes[part] = nullptr;
  for (auto part : lost_) {
    auto home = best_home(part);
    if (!home) {
      std::vector<std::string> reasons;
      for (const auto& [id, why] : refused_[part])
        reasons.push_back(why);
      return fail(fmt::format("no node can take {}{}{}", what(part), reasons.empty() ? "" : ": ",
                              fmt::join(reasons, "; ")));
    }
    placement_.homes[part] = home;
  }
  connect();
}

/// The one with the fewest parts: spares first. What comes behind the last stage goes where that is, if it
/// may: then its hidden states need not travel.
NodeAgentActor Recovery::best_home(std::uint32_t part) const {
  auto refused = refused_.find(part);
  auto may = [&](const caf::actor_addr& node) {
    return peers_.contains(node) &&
           (refused == refused_.end() || !refused->second.contains(node)) && !is_apart(part, node);
  };
  const auto& last = placement_.homes[wiring_.stages() - 1];
  if (part >= wiring_.stages() && last && may(last.address()))
    return last;
  NodeAgentActor best;
  std::ptrdiff_t fewest = 0;
  for (const auto& [address, peer] : peers_) {
    if (!may(address))
      continue;
    auto parts = std::ranges::count(placement_.homes, peer.agent);
    if (!best || parts < fewest) {
      best = peer.agent;
      fewest = parts;
    }
  }
  return best;
}

bool Recovery::is_apart(std::uint32_t part, const caf::actor_addr& node) const {
  auto others = wiring_.receivers(part);
  auto senders = wiring_.senders(part);
  others.insert(others.end(), senders.begin(), senders.end());
  return std::ranges::any_of(others, [&](std::uint32_t other) {
    const auto& home = placement_.homes[other];
    return home && apart_.contains(std::minmax({node, home.address()}));
  });
}

/// Nodes are connected directly, so that what one sends to another does not pass through this process.
void Recovery::connect() {
  open_ = 1;
  std::set<std::pair<caf::actor_addr, caf::actor_addr>> connected;
  for (const auto& [from, to] : hops_between_nodes(wiring_, placement_.homes)) {
    bool is_new = is_lost(from) || is_lost(to) || cut_.contains({from, to});
    auto nodes = std::minmax({placement_.homes[from].address(), placement_.homes[to].address()});
    if (is_new && connected.insert(nodes).second)
      connect(from, to);
  }
  answered(&Recovery::spawn);
}

void Recovery::connect(std::uint32_t from, std::uint32_t to) {
  const Peer& home = home_of(from);
  const Peer& other = home_of(to);
  auto refused = [this, from, to, name = home.name](const caf::error& error) {
    auto why = fmt::format("node {}: {}", name, error_text(error));
    apart_.insert(std::minmax({placement_.homes[from].address(), placement_.homes[to].address()}));
    if (!is_lost(from) && !is_lost(to)) {
      // Both are well, and do not meet: the first one goes elsewhere.
      end_actor(pipeline_.part(from));
      lost_.insert(from);
      return refuse(from, why);
    }
    refuse(is_lost(to) ? to : from, why);
  };
  ++open_;
  self_->request(home.agent, connect_limit, connect_a_v, other.host, other.port)
      .then(guard<caf::node_id>([this](const caf::node_id&) { answered(&Recovery::spawn); }),
            guard<caf::error>(refused));
}

/// Each is told those that it sends to: the pruner first, stages from the last to the first.
void Recovery::spawn() {
  for (auto part : {wiring_.pruner(), wiring_.draft(), wiring_.verifier()})
    if (is_lost(part) && !made_.contains(part))
      return spawn_part(part);
  for (auto stage = wiring_.stages(); stage-- > 0;)
    if (is_lost(stage) && !made_.contains(stage))
      return spawn_stage(stage);
  expect_answers(self_->system(), pipeline_, placement_);
  load();
}

void Recovery::spawn_stage(std::uint32_t stage) {
  auto peers = peers_of(pipeline_, stage, link_);
  self_
      ->request(home_of(stage).agent, spawn_limit, spawn_st_a_v,
                StageSpecMessage{placement_.specs[stage]}, peers.next, peers.pruner, peers.draft)
      .then(guard<PipelineActor, ControlActor>(
                [this, stage](const PipelineActor& made, const ControlActor& control) {
                  pipeline_.stages[stage] = {made, control};
                  spawned(stage);
                }),
            guard<caf::error>(
                [this, stage](const caf::error& error) { refuse(stage, error_text(error)); }));
}

void Recovery::spawn_part(std::uint32_t part) {
  const PartSpec& spec = placement_.parts[part - wiring_.stages()];
  auto name = wiring_.name(part);
  auto pruner = part == wiring_.pruner() ? TreePrunerActor{}
                                         : linked(link_, name, "pruner", pipeline_.pruner);
  auto draft =
      part == wiring_.verifier() ? linked(link_, name, "draft", pipeline_.draft) : DraftActor{};
  self_
      ->request(home_of(part).agent, spawn_limit, spawn_pt_a_v, PartSpecMessage{spec}, pruner,
                draft)
      .then(guard<caf::actor>([this, part, kind = spec.part](const caf::actor& made) {
              if (!made)
                return refuse(part, "it made none");
              pipeline_.set(kind, made);
              spawned(part);
            }),
            guard<caf::error>(
                [this, part](const caf::error& error) { refuse(part, error_text(error)); }));
}

void Recovery::spawned(std::uint32_t part) {
  made_.insert(part);
  spawn();
}

void Recovery::load() {
  open_ = 1;
  for (auto part : lost_) {
    if (part == wiring_.pruner())
      continue;  // it has no weights
    ++open_;
    self_->request(pipeline_.part(part), load_limit_, load_a_v)
        .then(guard<StageStatsMessage>([this, part](const StageStatsMessage& stats) {
                loaded_[part] = stats;
                answered(&Recovery::bind);
              }),
              guard<caf::error>([this, part](const caf::error& error) {
                refuse(part, fmt::format("node {}: {}", home_of(part).name, error_text(error)));
              }));
  }
  answered(&Recovery::bind);
}

/// All hear of it before the first session opens: what travels from hop to hop could be faster than what
/// they are told from here.
void Recovery::bind() {
  open_ = 1;
  auto done = guard<done_a>([this](done_a) { answered(&Recovery::bound); });
  auto failed = [this](std::uint32_t part) {
    return guard<caf::error>([this, part](const caf::error& error) {
      if (!placement_.homes[part])
        return fail(fmt::format("{} does not answer: {}", wiring_.words(part), error_text(error)));
      lose(part, error_text(error));
    });
  };
  for (std::uint32_t hop = 0; hop <= wiring_.verifier(); ++hop) {
    auto peers = peers_of(pipeline_, hop, link_);
    // A new verifier needs nothing of what it has missed.
    std::uint32_t is_new = hop + 1 < wiring_.stages() && is_lost(hop + 1) ? 1 : 0;
    ++open_;
    self_
        ->request(pipeline_.part(hop), hop_limit, bind_a_v, caf::actor_cast<caf::actor>(peers.next),
                  caf::actor_cast<caf::actor>(peers.pruner),
                  caf::actor_cast<caf::actor>(peers.draft), is_new)
        .then(done, failed(hop));
  }
  for (const Binding& binding : bindings_of(self_->system(), pipeline_, placement_)) {
    ++open_;
    self_
        ->request(binding.home, hop_limit, bind_a_v, binding.part, binding.receivers,
                  binding.senders)
        .then(done, failed(binding.number));
  }
  if (is_lost(wiring_.pruner()))
    self_->send(pipeline_.pruner, part_a_v, last_segment_, last_session_);
  if (is_lost(wiring_.draft()))
    self_->send(pipeline_.draft, bind_a_v,
                linked(link_, "draft", "stage 0", pipeline_.stages.front().stage),
                caf::actor_cast<caf::actor>(linked(link_, "draft", "draft", pipeline_.draft)));
  answered(&Recovery::bound);
}

void Recovery::bound() {
  made_.clear();
  events_.done(*this);
}

void Recovery::lose(std::uint32_t part, const std::string& why) {
  spdlog::info("{} does not answer: {}", wiring_.name(part), why);
  ++attempt_;
  end_made();
  lost_.insert(part);
  place();
}

void Recovery::refuse(std::uint32_t part, const std::string& why) {
  spdlog::info("{} goes to another node: {}", wiring_.name(part), why);
  ++attempt_;
  end_made();
  refused_[part][placement_.homes[part].address()] = why;
  place();
}

const Peer& Recovery::home_of(std::uint32_t part) const {
  return peers_.at(placement_.homes[part].address());
}

Position Recovery::cached(SessionId session) const {
  auto at = [&](std::uint32_t part) -> KeptSession {
    auto kept = kept_.find(part);
    if (kept == kept_.end())
      return {};
    auto found = std::ranges::find(kept->second.sessions, session, &KeptSession::session);
    return found == kept->second.sessions.end() ? KeptSession{} : *found;
  };
  // A new first stage gets its tokens from the draft that has put the session aside.
  if (is_lost(0) && is_lost(wiring_.draft()))
    return 0;
  auto least = is_lost(0) ? at(wiring_.draft()).tokens : at(0).tokens;
  if (!is_lost(wiring_.verifier()))
    least = std::min(least, at(wiring_.verifier()).tokens);
  for (std::uint32_t i = 1; i < wiring_.stages(); ++i)
    if (!is_lost(i))
      least = std::min(least, at(i).tokens);
    else if (!is_lost(i - 1))
      least = std::min(least, at(i - 1).restorable);
  return least;
}

std::set<SessionId> Recovery::kept() const {
  std::set<SessionId> all;
  for (const auto& [part, kept] : kept_)
    for (const KeptSession& session : kept.sessions)
      all.insert(session.session);
  return all;
}

std::string Recovery::what(std::uint32_t part) const {
  if (part >= wiring_.stages())
    return wiring_.words(part);
  const StageSpec& spec = placement_.specs[part];
  return fmt::format("layers {} to {}", spec.first_layer, spec.end_layer - 1);
}

std::string Recovery::outcome() const {
  std::vector<std::string> moves;
  for (auto part : lost_)
    moves.push_back(fmt::format("{} {} on node {} now", what(part),
                                part < wiring_.stages() ? "are" : "is", home_of(part).name));
  return moves.empty() ? "the nodes are connected again"
                       : fmt::format("{}", fmt::join(moves, ", "));
}

}  // namespace flowspec
