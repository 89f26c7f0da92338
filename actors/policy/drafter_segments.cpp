// What leaves next: the rows of one segment.

#include <algorithm>

#include "actors/policy/drafter.hpp"

namespace flowspec {

/// Does the policy wait for a draft forward instead of sending the rows there are?
bool Drafter::holds(const Session& session) const {
  if (session.tree.in_prompt())
    return false;
  auto id = session.tree.session();
  bool drafting =
      can_draft(session) || std::any_of(pending_.begin(), pending_.end(),
                                        [id](const Pending& row) { return row.session == id; });
  return drafting && policy_.mode->waits_for_draft(policy_, session.tree, session.progress);
}

/// A segment of all sessions waits for those whose root has moved: rows that miss it wait for the next
/// one, which is a whole forward of the first stage later. More sessions than a draft forward has rows
/// for do not make it wait longer than twice as many forwards.
bool Drafter::segment_waits() const {
  return forwards_since_move_ < 2 * policy_.min_drafts_before_send &&
         std::ranges::any_of(
             sessions_,
             [this](const auto& entry) { return !entry.second.cancelled && holds(entry.second); });
}

std::vector<DraftTree::Index> Drafter::sendable(const Session& session) const {
  const DraftTree& tree = session.tree;
  if (session.cancelled)
    return {};
  // The hops have slots for so many live rows of all sessions together, and for every root.
  auto sent = policy_.mode->mixes_sessions() ? nodes().second : tree.sent_live();
  std::size_t room = std::min<std::size_t>(
      policy_.segment_rows, policy_.max_sent - std::min<std::size_t>(policy_.max_sent, sent));
  if (room == 0 && !tree.node(tree.root()).sent)
    room = 1;
  if (room == 0)
    return {};
  double least = session.guesses ? policy_.min_send_probability : 1;
  return policy_.order == DraftPolicy::Order::score ? tree.best_to_send(room, least)
                                                    : tree.first_to_send(room, least);
}

/// Divides the rows that the session could send into prompt, root and guesses.
Demand Drafter::demand(const Session& session, const std::vector<DraftTree::Index>& rows) const {
  const DraftTree& tree = session.tree;
  Demand demand;
  for (auto index : rows) {
    const auto& node = tree.node(index);
    if (node.position <= tree.prompt_end())
      ++demand.prompt_rows;
    else if (index == tree.root())
      demand.root = true;
    else
      demand.guesses.push_back(node.path_probability);
  }
  return demand;
}

/// An answer waits for the forwards of all segments, also of those that carry none of its rows.
std::size_t Drafter::most_prompt_rows() const {
  bool answers = policy_.prompt_rows > 0 && std::ranges::any_of(sessions_, [](const auto& entry) {
                   return !entry.second.cancelled && !entry.second.tree.in_prompt();
                 });
  return answers ? policy_.prompt_rows : policy_.segment_rows;
}

std::vector<Drafter::Choice> Drafter::mixed_segment() {
  std::vector<Session*> turn;
  std::vector<std::vector<DraftTree::Index>> rows;
  std::vector<Demand> demands;
  if (segment_waits())
    return {};
  for (Session* session : in_turn(send_turn_)) {
    auto wanted = sendable(*session);
    if (wanted.empty())
      continue;
    turn.push_back(session);
    demands.push_back(demand(*session, wanted));
    rows.push_back(std::move(wanted));
  }
  auto counts = divide_rows(demands, policy_.segment_rows, most_prompt_rows());
  std::vector<Choice> best;
  double mass = 0;
  for (std::size_t i = 0; i < turn.size(); ++i)
    for (std::size_t row = 0; row < counts[i]; ++row) {
      auto index = rows[i][row];
      best.push_back({turn[i], index, turn[i]->tree.node(index).path_probability});
      mass += best.back().value;
    }
  if (best.empty() || mass < policy_.min_mass)
    return {};
  send_turn_ = turn.front()->tree.session() + 1;
  // Stable: within a session parents stay ahead of their children.
  if (policy_.order == DraftPolicy::Order::score)
    std::stable_sort(best.begin(), best.end(),
                     [](const Choice& a, const Choice& b) { return a.value > b.value; });
  return best;
}

std::vector<Drafter::Choice> Drafter::single_segment(bool& awaits_more) {
  std::vector<Choice> best;
  for (Session* next : in_turn(send_turn_)) {
    Session& session = *next;
    DraftTree& tree = session.tree;
    if (holds(session))
      continue;
    auto rows = sendable(session);
    if (rows.empty())
      continue;
    send_turn_ = tree.session() + 1;
    if (tree.in_prompt()) {
      rows.resize(std::min(rows.size(), most_prompt_rows()));
    } else {
      if (policy_.mode->complete(policy_, tree, session.progress))
        rows = sendable(session);
      awaits_more = policy_.mode->cut(tree, session.progress, rows);
    }
    for (auto index : rows)
      best.push_back({&session, index, tree.node(index).path_probability});
    return best;
  }
  return best;
}

Drafter::Outgoing Drafter::take_segment() {
  Outgoing segment;
  auto best =
      policy_.mode->mixes_sessions() ? mixed_segment() : single_segment(segment.awaits_more);
  for (const Choice& choice : best) {
    segment.rows.push_back(choice.session->tree.row(choice.index));
    choice.session->tree.mark_sent(choice.index);
  }
  return segment;
}

}  // namespace flowspec
