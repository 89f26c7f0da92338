#include "actors/policy/drafter.hpp"

#include <algorithm>

#include "actors/support/sampler_options.hpp"
#include "models/base/error.hpp"

namespace flowspec {

namespace {

/// Draft KV slots beyond the positions of the text: for tree nodes that have been expanded.
constexpr std::uint32_t tree_slots = 512;

}  // namespace

Drafter::Drafter(const DraftPolicy& policy, std::unique_ptr<DraftModel> model, const KvBudget& kv)
    : policy_(policy), model_(std::move(model)) {
  if (model_ == nullptr)
    return;
  kv_ = KvPool(
      kv, model_->cache_bytes(1),
      [this](std::uint32_t slots) { return model_->make_cache(slots); });
  calibration_.emplace([this](float temperature) { return model_->first_scale(temperature); });
}

void Drafter::open(const Open& open) {
  const Session* previous = nullptr;
  if (auto found = sessions_.find(open.prefix_session); found != sessions_.end())
    previous = &found->second;
  else if (auto kept = kept_.find(open.prefix_session); kept != kept_.end())
    previous = &kept->second;
  auto slots = model_ != nullptr ? open.position_limit + tree_slots : 0;
  sessions_.try_emplace(open.session,
                        Session{{open, kv_.slots(), slots, policy_.max_nodes, reads_features(),
                                 previous != nullptr ? &previous->tree : nullptr},
                                sampler_options(open.sampling),
                                {sampler_options(open.sampling), answer_begin(open)}});
}

void Drafter::grow(const Grow& grow) {
  if (auto found = sessions_.find(grow.session); found != sessions_.end())
    found->second.tree.grow(grow.position_limit,
                            model_ != nullptr ? grow.position_limit + tree_slots : 0);
}

void Drafter::close(SessionId id, bool keep) {
  auto session = sessions_.extract(id);
  // What was put aside stays, where the Close was on its way meanwhile.
  if (!keep || !session.empty())
    kept_.erase(id);
  if (keep && !session.empty()) {
    session.mapped().tree.forget_live();
    kept_.insert(std::move(session));
  }
  session = {};
  kv_.released();
}

std::vector<KeptSession> Drafter::part() {
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    auto session = sessions_.extract(it++);
    kept_.erase(session.key());
    session.mapped().tree.forget_live();
    kept_.insert(std::move(session));
  }
  std::vector<KeptSession> kept;
  for (const auto& [id, session] : kept_) {
    auto tokens = static_cast<Position>(session.tree.committed_tokens().size());
    kept.push_back({id, tokens, tokens});
  }
  return kept;
}

bool Drafter::answers(SessionId id) const {
  auto found = sessions_.find(id);
  return found != sessions_.end() && !found->second.tree.in_prompt();
}

void Drafter::guess_for(SessionId id, bool guesses) {
  if (auto found = sessions_.find(id); found != sessions_.end())
    found->second.guesses = guesses;
}

void Drafter::cancel(SessionId id) {
  if (auto found = sessions_.find(id); found != sessions_.end())
    found->second.cancelled = true;
}

std::optional<std::string> Drafter::reroot(const Prune& prune) {
  auto found = sessions_.find(prune.session);
  if (found == sessions_.end() || found->second.cancelled)
    return std::nullopt;
  Session& session = found->second;
  auto version = session.tree.version();
  if (prune.version == version + 1)
    learn_from(session, prune);
  auto error = session.tree.reroot(prune, policy_.adopt);
  session.cancelled = error.has_value();
  if (session.tree.version() == version)
    return error;
  session.taps.keep_if([&](TreeNodeId id) { return session.tree.awaits_feature(id); });
  if (!session.tree.in_prompt())
    forwards_since_move_ = 0;
  // A root that is not in the pipeline begins a new tree; any other root continues the present one.
  bool sent = session.tree.node(session.tree.root()).sent;
  session.progress = sent ? DraftProgress{0, session.progress.level, session.progress.chunks_left}
                          : DraftProgress{};
  return error;
}

void Drafter::learn_from(Session& session, const Prune& prune) {
  for (const DraftTree::Outcome& outcome : session.tree.outcomes(prune)) {
    if (policy_.lookup)
      session.lookup.learn(outcome.proposals, outcome.chosen);
    const auto proposals = LookupBeside::by_draft(outcome.proposals);
    bool right = std::ranges::find(proposals, outcome.chosen, &Candidate::token) != proposals.end();
    ++foresight_.asked;
    foresight_.right += right ? 1 : 0;
    if (policy_.calibrated)
      calibration_->learn(session.sampling.temperature, proposals, outcome.chosen);
  }
}

/// What is known of the choice of the token at this position.
Guess Drafter::guess(const Session& session, Position position) const {
  float scale = policy_.calibrated ? calibration_->scale(session.sampling.temperature) : 1;
  return {session.sampling, position, policy_.coupled, scale};
}

std::optional<std::string> Drafter::learn(const Features& features) {
  auto found = sessions_.find(features.session);
  if (found == sessions_.end() || found->second.cancelled || !reads_features())
    return std::nullopt;
  auto error = found->second.taps.learn(features, found->second.tree, *model_);
  found->second.cancelled = error.has_value();
  return error;
}

/// Nodes of one session that the next forward may expand, best first.
std::vector<DraftTree::Choice> Drafter::choices(const Session& session, std::size_t count) const {
  const DraftTree& tree = session.tree;
  const DraftProgress& progress = session.progress;
  if (model_ == nullptr || session.cancelled || !session.guesses || tree.free_slots() == 0 ||
      (policy_.forwards_per_root != 0 && progress.forwards >= policy_.forwards_per_root))
    return {};
  if (reads_features() && !tree.committed_rows_done() && !has_committed_row(session))
    return {};  // features are on their way
  return policy_.mode->to_expand(policy_, tree, progress, count);
}

bool Drafter::has_committed_row(const Session& session) const {
  return reads_features() && policy_.mode->speculates() && session.guesses && !session.cancelled &&
         session.tree.next_committed_row().has_value();
}

bool Drafter::can_draft(const Session& session) const {
  return has_committed_row(session) || !choices(session, 1).empty();
}

bool Drafter::can_draft() const {
  return pending_.empty() && std::any_of(
                                 sessions_.begin(), sessions_.end(),
                                 [this](const auto& entry) { return can_draft(entry.second); });
}

std::vector<Drafter::Session*> Drafter::in_turn(SessionId first) {
  std::vector<Session*> turn;
  auto begin = sessions_.lower_bound(first);
  for (auto it = begin; it != sessions_.end(); ++it)
    turn.push_back(&it->second);
  for (auto it = sessions_.begin(); it != begin; ++it)
    turn.push_back(&it->second);
  return turn;
}

/// Nodes to expand: each session's best, then the best of all others.
std::vector<Drafter::Choice> Drafter::best_choices(const std::vector<Session*>& turn) const {
  std::vector<Choice> best;
  std::vector<Choice> others;
  for (Session* session : turn) {
    auto* list = &best;
    for (const DraftTree::Choice& choice : choices(*session, policy_.draft_width)) {
      list->push_back({session, choice.index, choice.value});
      list = &others;
    }
  }
  std::stable_sort(others.begin(), others.end(),
                   [](const Choice& a, const Choice& b) { return a.value > b.value; });
  best.insert(best.end(), others.begin(), others.end());
  if (best.size() > policy_.draft_width)
    best.resize(policy_.draft_width);
  return best;
}

/// Makes sure that the rows of a forward find slots, as far as there is memory.
void Drafter::reserve_kv() {
  try {
    kv_.reserve(std::min(model_->max_rows(), kv_.slots()->left()));
  } catch (const ModelError&) {
    kv_.slots()->stop_growing();
  }
}

/// Each session that wants rows gets an equal part of the forward; rows that some do not need go to
/// the others. So a session that reads a long text leaves room for the rest.
void Drafter::plan_forward() {
  planned_.clear();
  reserve_kv();
  auto turn = in_turn(draft_turn_);
  std::erase_if(turn, [this](const Session* session) { return !can_draft(*session); });
  if (turn.empty())
    return;
  draft_turn_ = turn.front()->tree.session() + 1;
  std::size_t all = model_->max_rows();
  auto part = std::max<std::size_t>(all / turn.size(), 1);
  for (Session* session : turn)
    if (has_committed_row(*session))
      plan_committed(*session, part);
  auto best = best_choices(turn);
  for (const Choice& choice : best)
    plan(choice, part);
  if (turn.size() == 1)
    return;
  for (Session* session : turn)
    if (has_committed_row(*session))
      plan_committed(*session, all);
  for (const Choice& choice : best)
    plan(choice, all);
}

std::size_t Drafter::begin() {
  plan_forward();
  if (planned_.empty())
    return 0;

  make_rows();
  candidates_.resize(rows_.size() * policy_.top_k);
  features_out_.resize(rows_.size() * model_->feature_size());
  model_->forward(rows_, features_in_, policy_.top_k, candidates_, features_out_);
  look_up();
  for (const Planned& row : planned_)
    pending_.push_back({row.session->tree.session(), row.index != DraftTree::none
                                                         ? row.session->tree.node(row.index).serial
                                                         : 0});
  planned_.clear();  // sessions may close
  return rows_.size();
}

/// Puts the guesses of look-up beside those of the draft.
void Drafter::look_up() {
  for (Candidate& candidate : candidates_)
    candidate.by_draft = candidate.log_prob;
  for (std::size_t i = 0; policy_.lookup && i < planned_.size(); ++i)
    planned_[i].session->lookup.blend(
        rows_[i], std::span(candidates_).subspan(i * policy_.top_k, policy_.top_k));
}

std::set<SessionId> Drafter::abandon() {
  std::set<SessionId> ended;
  for (const Planned& row : planned_)
    ended.insert(row.session->tree.session());
  for (const Pending& row : pending_)
    ended.insert(row.session);
  planned_.clear();
  pending_.clear();
  for (SessionId id : ended)
    cancel(id);
  return ended;
}

std::set<SessionId> Drafter::cancel_all() {
  std::set<SessionId> all;
  for (auto& [id, session] : sessions_) {
    session.cancelled = true;
    all.insert(id);
  }
  return all;
}

void Drafter::finish() {
  ++forwards_since_move_;
  std::set<SessionId> took_part;
  std::set<SessionId> grown;
  auto feature_size = reads_features() ? model_->feature_size() : 0;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    const Pending& row = pending_[i];
    auto found = sessions_.find(row.session);
    if (found == sessions_.end())
      continue;
    took_part.insert(row.session);
    DraftTree& tree = found->second.tree;
    auto index = row.serial != 0 ? tree.find_serial(row.serial) : DraftTree::none;
    if (index == DraftTree::none)
      continue;
    if (feature_size > 0)
      tree.guess_feature(index, std::span(features_out_).subspan(i * feature_size, feature_size));
    tree.expand(index, std::span(candidates_).subspan(i * policy_.top_k, policy_.top_k),
                policy_.min_keep_probability);
    grown.insert(row.session);
  }
  pending_.clear();
  for (SessionId id : took_part) {
    Session& session = sessions_.at(id);
    ++session.progress.forwards;
    policy_.mode->forward_ended(policy_, grown.contains(id), session.tree, session.progress);
  }
}

/// Whether the session can add no more rows to this forward; `most`: its limit.
bool Drafter::is_full(const Session& session, std::size_t most) const {
  if (planned_.size() >= model_->max_rows())
    return true;
  auto rows = std::count_if(planned_.begin(), planned_.end(),
                            [&](const Planned& row) { return row.session == &session; });
  return static_cast<std::size_t>(rows) >= most;
}

/// Adds the committed tokens that the draft model has not seen, as many as fit.
void Drafter::plan_committed(Session& session, std::size_t most) {
  while (!is_full(session, most)) {
    auto position = session.tree.next_committed_row();
    if (!position || !session.tree.take_committed_row())
      return;
    planned_.push_back({&session, DraftTree::none, *position});
  }
}

/// Adds the node, and ahead of it the part of its context that the draft model has not seen. What
/// does not fit in this forward is left for the next.
void Drafter::plan(const Choice& choice, std::size_t most) {
  Session& session = *choice.session;
  DraftTree& tree = session.tree;
  plan_committed(session, most);
  if (!tree.committed_rows_done())
    return;
  std::vector<DraftTree::Index> missing{choice.index};
  for (auto i = tree.node(choice.index).parent;
       i != DraftTree::none && tree.node(i).draft.slot == DraftKv::no_slot; i = tree.node(i).parent)
    missing.push_back(i);
  for (auto i = missing.rbegin(); i != missing.rend(); ++i)
    if (!plan_row(session, *i, most))
      return;
}

bool Drafter::plan_row(Session& session, DraftTree::Index index, std::size_t most) {
  bool planned_before = std::any_of(planned_.begin(), planned_.end(), [&](const Planned& row) {
    return row.session == &session && row.index == index;
  });
  if (planned_before)
    return true;
  bool placed = !is_full(session, most) && session.tree.take_slot(index);
  if (placed)
    planned_.push_back({&session, index, session.tree.node(index).position});
  return placed;
}

void Drafter::make_rows() {
  tail_tokens_.clear();
  tail_slots_.clear();
  features_in_.clear();
  for (Planned& row : planned_) {
    const DraftTree& tree = row.session->tree;
    row.tail_begin = tail_tokens_.size();
    if (row.index != DraftTree::none) {
      tree.append_tokens(row.index, tail_tokens_);
      tree.append_slots(row.index, tail_slots_);
    } else {
      tail_tokens_.push_back(tree.committed_tokens()[row.position]);
      tail_slots_.push_back(tree.committed_slots()[row.position]);
    }
    row.tail_end = tail_tokens_.size();
    if (reads_features()) {
      // The text's first token has no feature before it, and needs none.
      auto feature = row.index != DraftTree::none ? tree.parent_feature(row.index)
                                                  : tree.feature_before(row.position);
      features_in_.insert(features_in_.end(), feature.begin(), feature.end());
      if (feature.empty())
        features_in_.resize(features_in_.size() + model_->feature_size());
    }
  }
  rows_.clear();
  for (const Planned& row : planned_) {
    const DraftTree& tree = row.session->tree;
    auto count = row.tail_end - row.tail_begin;
    auto prefix = row.position + 1 - count;
    auto slots = std::span<const Slot>(tail_slots_).subspan(row.tail_begin, count);
    auto tokens = std::span<const Token>(tail_tokens_).subspan(row.tail_begin, count);
    rows_.push_back(
        {tokens.back(),
         {kv_.cache(), row.position, slots.back(), tree.committed_slots().first(prefix), slots},
         tree.committed_tokens().first(prefix),
         tokens,
         guess(*row.session, row.position + 1)});
    row.session->penalties.follow(tree.committed_tokens());
    rows_.back().guess.penalties = &row.session->penalties;
    rows_.back().guess.path = tokens;
  }
}

std::pair<std::uint64_t, std::uint64_t> Drafter::nodes() const {
  std::pair<std::uint64_t, std::uint64_t> all{};
  for (const auto& [id, session] : sessions_) {
    all.first += session.tree.size();
    all.second += session.tree.sent_live();
  }
  return all;
}

std::optional<std::string> Drafter::broken_invariant() const {
  for (const auto& [id, session] : sessions_)
    if (auto broken = session.tree.broken_invariant())
      return broken;
  return std::nullopt;
}

}  // namespace flowspec
