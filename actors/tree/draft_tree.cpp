#include "actors/tree/draft_tree.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace flowspec {

DraftTree::DraftTree(const Open& open, std::uint32_t slots, std::uint32_t max_nodes)
    : session_(open.session),
      position_limit_(open.position_limit),
      prompt_end_(static_cast<Position>(open.prompt.size() - 1)),
      max_nodes_(max_nodes),
      slots_(slots),
      next_id_(open.root) {
  for (std::size_t i = 0; i < open.prompt.size(); ++i) {
    Node node;
    node.id = next_id_++;
    node.parent = i == 0 ? none : static_cast<Index>(i - 1);
    node.token = open.prompt[i];
    node.position = static_cast<Position>(i);
    node.expanded = i + 1 < open.prompt.size();  // what follows a prompt token is known
    nodes_.push_back(node);
  }
  for (Slot slot = slots; slot > 0; --slot)
    free_.push_back(slot - 1);
}

DraftTree::Index DraftTree::find(NodeId id) const {
  auto found =
      std::find_if(nodes_.begin(), nodes_.end(), [id](const Node& node) { return node.id == id; });
  return found == nodes_.end() ? none : static_cast<Index>(found - nodes_.begin());
}

std::optional<std::string> DraftTree::reroot(const Prune& prune) {
  if (prune.version <= version_)
    return std::nullopt;
  if (prune.version != version_ + 1)
    return fmt::format("prune of version {} follows version {}", prune.version, version_);
  std::vector<Index> path;
  for (NodeId id : prune.path) {
    Index index = find(id);
    Index expected = path.empty() ? none : path.back();
    if (index == none || !nodes_[index].sent || (path.empty() && index != root()) ||
        nodes_[index].parent != expected)
      return fmt::format("prune of version {}: node {} does not continue the path", prune.version,
                         id);
    path.push_back(index);
  }
  if (path.empty())
    return fmt::format("prune of version {} has an empty path", prune.version);
  Index last = path.back();
  if (prune.root.position != nodes_[last].position + 1)
    return fmt::format("prune of version {} puts the root at position {}, expected {}",
                       prune.version, prune.root.position, nodes_[last].position + 1);

  bool fresh = prune.root.id >= first_fresh_node;
  Index root = none;
  for (Index i = 0; i < nodes_.size(); ++i)
    if (nodes_[i].parent == last && nodes_[i].token == prune.root.token)
      root = i;
  if (!fresh && (root == none || nodes_[root].id != prune.root.id))
    return fmt::format("prune of version {} makes node {} the root, which was never sent",
                       prune.version, prune.root.id);
  if (root == none) {
    Node node;
    node.parent = last;
    node.token = prune.root.token;
    node.position = prune.root.position;
    root = static_cast<Index>(nodes_.size());
    nodes_.push_back(node);
  }

  for (Index index : path) {
    const Node& node = nodes_[index];
    committed_tokens_.push_back(node.token);
    if (node.slot != no_slot)
      committed_slots_.push_back(node.slot);
  }
  std::vector<Index> moved(nodes_.size(), none);
  std::vector<Node> kept;
  sent_live_ = 0;
  for (Index i = 0; i < nodes_.size(); ++i) {
    Node node = nodes_[i];
    bool below = node.parent != none && moved[node.parent] != none;
    if (i != root && !below) {
      bool committed = std::find(path.begin(), path.end(), i) != path.end();
      if (node.slot != no_slot && !committed)
        free_.push_back(node.slot);
      continue;
    }
    moved[i] = static_cast<Index>(kept.size());
    node.parent = i == root ? none : moved[node.parent];
    if (fresh) {
      // The pipeline knows the root by its fresh id and nothing of what is below it.
      if (i == root)
        node.id = prune.root.id;
      else if (node.sent)
        node.id = next_id_++;
      node.sent = false;
    }
    sent_live_ += node.sent ? 1 : 0;
    kept.push_back(node);
  }
  nodes_ = std::move(kept);
  version_ = prune.version;
  root_parent_ = prune.root.parent;
  rescore();
  return std::nullopt;
}

void DraftTree::rescore() {
  for (Node& node : nodes_) {
    bool certain = node.parent == none || node.position <= prompt_end_;
    node.depth = certain ? 0 : nodes_[node.parent].depth + 1;
    node.reach = certain ? 1 : nodes_[node.parent].reach * std::exp(double{node.log_prob});
  }
}

std::vector<DraftTree::Index> DraftTree::best_to_expand(std::size_t count, double min_reach,
                                                        std::uint32_t max_depth) const {
  return best(count, [&](const Node& node) {
    // A child would stand at the next position.
    return !node.expanded && node.reach >= min_reach && node.depth < max_depth &&
           node.position + 1 < position_limit_;
  });
}

std::vector<DraftTree::Index> DraftTree::best_to_send(std::size_t count, double min_reach) const {
  return best(count, [&](const Node& node) {
    return !node.sent && node.reach >= min_reach && node.position < position_limit_;
  });
}

template <class Predicate>
std::vector<DraftTree::Index> DraftTree::best(std::size_t count, Predicate eligible) const {
  std::vector<Index> found;
  for (Index i = 0; i < nodes_.size(); ++i)
    if (eligible(nodes_[i]))
      found.push_back(i);
  count = std::min(count, found.size());
  // A parent's reach is never below its child's, and its index is lower.
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), found.end(),
                    [this](Index a, Index b) {
                      return nodes_[a].reach != nodes_[b].reach ? nodes_[a].reach > nodes_[b].reach
                                                                : a < b;
                    });
  found.resize(count);
  return found;
}

void DraftTree::expand(Index parent, std::span<const Candidate> proposals, double min_reach) {
  nodes_[parent].expanded = true;
  for (const Candidate& proposal : proposals) {
    if (proposal.token < 0)  // padding: the draft had no more to say
      break;
    Node node;
    node.parent = parent;
    node.token = proposal.token;
    node.position = nodes_[parent].position + 1;
    node.depth = nodes_[parent].depth + 1;
    // Rounding may not lift a child above its parent, or the order would break.
    node.log_prob = std::min(proposal.log_prob, 0.0F);
    node.reach = nodes_[parent].reach * std::exp(double{node.log_prob});
    bool room = nodes_.size() < max_nodes_ + std::size_t{prompt_end_} + 1;
    if (node.reach < min_reach || !room)
      continue;
    node.id = next_id_++;
    nodes_.push_back(node);
  }
}

void DraftTree::mark_sent(Index index) {
  sent_live_ += nodes_[index].sent ? 0 : 1;
  nodes_[index].sent = true;
}

bool DraftTree::take_slot(Index index) {
  if (free_.empty())
    return false;
  nodes_[index].slot = free_.back();
  free_.pop_back();
  return true;
}

bool DraftTree::take_committed_slot() {
  if (free_.empty() || committed_slots_.size() == committed_tokens_.size())
    return false;
  committed_slots_.push_back(free_.back());
  free_.pop_back();
  return true;
}

Row DraftTree::row(Index index) const {
  const Node& node = nodes_[index];
  NodeId parent = node.parent != none ? nodes_[node.parent].id : no_node;
  return {session_, node.id, index == root() ? root_parent_ : parent, node.token, node.position};
}

void DraftTree::append_tokens(Index index, std::vector<Token>& out) const {
  auto first = out.size();
  for (; index != none; index = nodes_[index].parent)
    out.push_back(nodes_[index].token);
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
}

void DraftTree::append_slots(Index index, std::vector<Slot>& out) const {
  auto first = out.size();
  for (; index != none; index = nodes_[index].parent)
    out.push_back(nodes_[index].slot);
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
}

std::optional<std::string> DraftTree::broken_invariant() const {
  std::size_t held = committed_slots_.size() + free_.size();
  if (committed_slots_.size() > committed_tokens_.size())
    return "more committed slots than tokens";
  std::uint32_t sent = 0;
  for (Index i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    held += node.slot != no_slot ? 1 : 0;
    sent += node.sent ? 1 : 0;
    if (i == root() ? node.position != committed_tokens_.size()
                    : node.parent >= i || node.position != nodes_[node.parent].position + 1)
      return fmt::format("draft node {} has position {}", node.id, node.position);
    if (node.sent && i != root() && !nodes_[node.parent].sent)
      return fmt::format("draft node {} was sent before its parent", node.id);
    if (node.slot != no_slot && i != root() && nodes_[node.parent].slot == no_slot)
      return fmt::format("draft node {} was computed before its parent", node.id);
  }
  if (held != slots_)
    return fmt::format("{} draft KV slots are accounted for, of {}", held, slots_);
  if (sent != sent_live_)
    return fmt::format("{} live nodes were sent, counted {}", sent, sent_live_);
  return std::nullopt;
}

}  // namespace flowspec
