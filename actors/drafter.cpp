#include "actors/drafter.hpp"

#include <algorithm>

namespace flowspec {

namespace {

/// Draft KV slots beyond the positions of the text: nodes of the tree that have been expanded.
constexpr std::uint32_t tree_slots = 512;

}  // namespace

Drafter::Drafter(const DraftPolicy& policy, std::unique_ptr<DraftModel> model)
    : policy_(policy), model_(std::move(model)) {}

void Drafter::open(const Open& open) {
  auto slots = model_ != nullptr ? open.position_limit + tree_slots : 0;
  auto cache = model_ != nullptr ? model_->make_cache(slots) : KvCache{};
  sessions_.try_emplace(open.session, Session{{open, slots, policy_.max_nodes}, std::move(cache)});
}

void Drafter::close(SessionId id) {
  sessions_.erase(id);
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
  auto error = session.tree.reroot(prune);
  session.forwards = 0;
  session.cancelled = error.has_value();
  return error;
}

std::vector<DraftTree::Index> Drafter::best_to_expand(const Session& session,
                                                      std::size_t count) const {
  if (model_ == nullptr || !policy_.speculate || session.cancelled ||
      session.tree.free_slots() == 0)
    return {};
  return session.tree.best_to_expand(count, policy_.expand_reach, policy_.max_depth);
}

bool Drafter::can_draft(const Session& session) const {
  return !best_to_expand(session, 1).empty();
}

bool Drafter::can_draft() const {
  return std::any_of(sessions_.begin(), sessions_.end(),
                     [this](const auto& entry) { return can_draft(entry.second); });
}

void Drafter::draft() {
  std::vector<Choice> choices;
  for (auto& [id, session] : sessions_)
    for (auto index : best_to_expand(session, policy_.draft_width))
      choices.push_back({&session, index, session.tree.node(index).reach});
  std::stable_sort(choices.begin(), choices.end(),
                   [](const Choice& a, const Choice& b) { return a.reach > b.reach; });
  if (choices.size() > policy_.draft_width)
    choices.resize(policy_.draft_width);

  planned_.clear();
  for (const Choice& choice : choices)
    plan(choice);
  if (planned_.empty())
    return;
  make_rows();
  candidates_.resize(rows_.size() * policy_.top_k);
  model_->forward(rows_, {}, policy_.top_k, candidates_, {});
  for (std::size_t i = 0; i < planned_.size(); ++i) {
    const Planned& row = planned_[i];
    if (row.index != DraftTree::none && !row.session->tree.node(row.index).expanded)
      row.session->tree.expand(row.index,
                               std::span(candidates_).subspan(i * policy_.top_k, policy_.top_k),
                               policy_.keep_reach);
  }
  for (auto& entry : sessions_) {
    Session& session = entry.second;
    if (std::any_of(planned_.begin(), planned_.end(),
                    [&](const Planned& row) { return row.session == &session; }))
      ++session.forwards;
  }
}

/// Adds the node, and ahead of it all of its context that the draft model has not seen. What does
/// not fit in this forward is left for the next.
void Drafter::plan(const Choice& choice) {
  Session& session = *choice.session;
  DraftTree& tree = session.tree;
  while (tree.committed_slots().size() < tree.committed_tokens().size())
    if (!plan_row(session, DraftTree::none, static_cast<Position>(tree.committed_slots().size())))
      return;
  std::vector<DraftTree::Index> missing;
  for (auto i = choice.index; i != DraftTree::none && tree.node(i).slot == DraftTree::no_slot;
       i = tree.node(i).parent)
    missing.push_back(i);
  for (auto i = missing.rbegin(); i != missing.rend(); ++i)
    if (!plan_row(session, *i, tree.node(*i).position))
      return;
}

bool Drafter::plan_row(Session& session, DraftTree::Index index, Position position) {
  if (planned_.size() == model_->max_rows())
    return false;
  bool placed =
      index == DraftTree::none ? session.tree.take_committed_slot() : session.tree.take_slot(index);
  if (placed)
    planned_.push_back({&session, index, position});
  return placed;
}

void Drafter::make_rows() {
  tail_tokens_.clear();
  tail_slots_.clear();
  for (Planned& row : planned_) {
    row.tail_begin = tail_tokens_.size();
    if (row.index != DraftTree::none) {
      row.session->tree.append_tokens(row.index, tail_tokens_);
      row.session->tree.append_slots(row.index, tail_slots_);
    } else {
      tail_tokens_.push_back(row.session->tree.committed_tokens()[row.position]);
      tail_slots_.push_back(row.session->tree.committed_slots()[row.position]);
    }
    row.tail_end = tail_tokens_.size();
  }
  rows_.clear();
  for (const Planned& row : planned_) {
    const DraftTree& tree = row.session->tree;
    auto count = row.tail_end - row.tail_begin;
    auto prefix = row.position + 1 - count;
    auto slots = std::span<const Slot>(tail_slots_).subspan(row.tail_begin, count);
    auto tokens = std::span<const Token>(tail_tokens_).subspan(row.tail_begin, count);
    rows_.push_back({tokens.back(),
                     {&row.session->cache, row.position, slots.back(),
                      tree.committed_slots().first(prefix), slots},
                     tree.committed_tokens().first(prefix),
                     tokens});
  }
}

bool Drafter::holds(const Session& session) const {
  bool in_prompt = session.tree.node(session.tree.root()).position <= session.tree.prompt_end();
  return !in_prompt && session.forwards < policy_.hold && can_draft(session);
}

std::vector<Row> Drafter::take_segment() {
  std::vector<Choice> choices;
  for (auto& [id, session] : sessions_) {
    const DraftTree& tree = session.tree;
    if (session.cancelled || holds(session) || tree.sent_live() >= policy_.max_sent)
      continue;
    auto room = std::min(policy_.segment_rows, policy_.max_sent - tree.sent_live());
    for (auto index : tree.best_to_send(room, policy_.send_reach))
      choices.push_back({&session, index, tree.node(index).reach});
  }
  // Stable: within a session parents stay ahead of their children.
  std::stable_sort(choices.begin(), choices.end(),
                   [](const Choice& a, const Choice& b) { return a.reach > b.reach; });
  if (choices.size() > policy_.segment_rows)
    choices.resize(policy_.segment_rows);
  double mass = 0;
  for (const Choice& choice : choices)
    mass += choice.reach;
  if (mass < policy_.min_mass)
    return {};
  std::vector<Row> rows;
  for (const Choice& choice : choices) {
    rows.push_back(choice.session->tree.row(choice.index));
    choice.session->tree.mark_sent(choice.index);
  }
  return rows;
}

std::optional<std::string> Drafter::broken_invariant() const {
  for (const auto& [id, session] : sessions_)
    if (auto broken = session.tree.broken_invariant())
      return broken;
  return std::nullopt;
}

}  // namespace flowspec
