#include "actors/tree/draft_tree.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace flowspec {

DraftTree::DraftTree(const Open& open, std::shared_ptr<SlotPool> pool, std::uint32_t slots,
                     std::uint32_t max_nodes, bool reads_features, const DraftTree* previous)
    : session_(open.session),
      position_limit_(open.position_limit),
      prompt_end_(static_cast<Position>(open.prompt.size() - 1)),
      max_nodes_(max_nodes),
      next_id_(open.root),
      kv_(std::move(pool), slots, reads_features) {
  for (std::size_t i = open.cached_tokens; i < open.prompt.size(); ++i) {
    Node node;
    node.serial = next_serial_++;
    node.id = next_id_++;
    node.parent = i == open.cached_tokens ? none : static_cast<Index>(i - open.cached_tokens - 1);
    node.token = open.prompt[i];
    node.position = static_cast<Position>(i);
    if (i + 1 < open.prompt.size())
      node.expanded_at = 0;  // what follows a prompt token is known
    nodes_.push_back(std::move(node));
  }
  committed_tokens_.assign(open.prompt.begin(), open.prompt.begin() + open.cached_tokens);
  Position equal = 0;
  if (previous != nullptr) {
    const auto& old = previous->committed_tokens_;
    auto difference =
        std::mismatch(committed_tokens_.begin(), committed_tokens_.end(), old.begin(), old.end());
    equal = static_cast<Position>(difference.first - committed_tokens_.begin());
  }
  kv_.begin(open.cached_tokens, previous != nullptr ? &previous->kv_ : nullptr, equal);
}

DraftTree::~DraftTree() {
  forget_live();
}

void DraftTree::grow(Position position_limit, std::uint32_t slots) {
  position_limit_ = std::max(position_limit_, position_limit);
  kv_.grow(slots);
}

void DraftTree::forget_live() {
  for (Node& node : nodes_)
    kv_.release(node.draft);
}

DraftTree::Index DraftTree::find(TreeNodeId id) const {
  auto found =
      std::find_if(nodes_.begin(), nodes_.end(), [id](const Node& node) { return node.id == id; });
  return found == nodes_.end() ? none : static_cast<Index>(found - nodes_.begin());
}

DraftTree::Index DraftTree::find_serial(std::uint64_t serial) const {
  auto found = std::find_if(nodes_.begin(), nodes_.end(),
                            [serial](const Node& node) { return node.serial == serial; });
  return found == nodes_.end() ? none : static_cast<Index>(found - nodes_.begin());
}

std::vector<DraftTree::Outcome> DraftTree::outcomes(const Prune& prune) const {
  std::vector<Outcome> outcomes;
  Index next = none;
  for (std::size_t i = prune.path.size(); i-- > 0;) {
    auto index = find(prune.path[i]);
    if (index == none)
      continue;
    bool last = i + 1 == prune.path.size();
    const Node& node = nodes_[index];
    if (!node.proposals.empty() && node.position >= prompt_end_ && (last || next != none))
      outcomes.push_back({node.proposals, last ? prune.root.token : nodes_[next].token});
    next = index;
  }
  return outcomes;
}

/// The nodes of the prune's path, from the root; an error text if they are not such a path.
std::optional<std::string> DraftTree::find_path(const Prune& prune,
                                                std::vector<Index>& path) const {
  if (prune.version != version_ + 1)
    return fmt::format("prune of version {} follows version {}", prune.version, version_);
  for (TreeNodeId id : prune.path) {
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
  if (auto expected = nodes_[path.back()].position + 1; prune.root.position != expected)
    return fmt::format("prune of version {} puts the root at position {}, expected {}",
                       prune.version, prune.root.position, expected);
  return std::nullopt;
}

std::optional<std::string> DraftTree::reroot(const Prune& prune, bool adopt) {
  if (prune.version <= version_)
    return std::nullopt;
  std::vector<Index> path;
  if (auto error = find_path(prune, path))
    return error;
  bool fresh = prune.root.id >= first_fresh_node;
  Index root = none;
  for (Index i = 0; i < nodes_.size(); ++i)
    if (nodes_[i].parent == path.back() && nodes_[i].token == prune.root.token)
      root = i;
  if (!fresh && (root == none || nodes_[root].id != prune.root.id))
    return fmt::format("prune of version {} makes node {} the root, which was never sent",
                       prune.version, prune.root.id);
  // The token after a prompt token is certain, not a guess.
  adopt = adopt || prune.root.position <= prompt_end_;
  if (root == none || (fresh && !adopt)) {
    Node node;
    node.serial = next_serial_++;
    node.parent = path.back();
    node.token = prune.root.token;
    node.position = prune.root.position;
    root = static_cast<Index>(nodes_.size());
    nodes_.push_back(std::move(node));
  }

  kv_.forget_read_features();
  for (Index index : path) {
    committed_tokens_.push_back(nodes_[index].token);
    kv_.commit(nodes_[index].id, nodes_[index].draft);
  }
  keep_below(root);
  if (fresh) {
    // The pipeline knows the root by its fresh id, and no node below it.
    for (Node& node : nodes_)
      if (std::exchange(node.sent, false))
        node.id = next_id_++;
    nodes_.front().id = prune.root.id;
    sent_live_ = 0;
  }
  version_ = prune.version;
  root_parent_ = prune.root.parent;
  rescore();
  return std::nullopt;
}

/// The node becomes the root; what is not below it dies.
void DraftTree::keep_below(Index root) {
  std::vector<bool> keep(nodes_.size(), false);
  for (Index i = 0; i < nodes_.size(); ++i)
    keep[i] = i == root || (nodes_[i].parent != none && keep[nodes_[i].parent]);
  nodes_[root].parent = none;
  retain(keep);
}

void DraftTree::retain(const std::vector<bool>& keep) {
  std::vector<Index> moved(nodes_.size(), none);
  std::vector<Node> kept;
  sent_live_ = 0;
  for (Index i = 0; i < nodes_.size(); ++i) {
    Node& node = nodes_[i];
    if (!keep[i]) {
      kv_.release(node.draft);
      continue;
    }
    moved[i] = static_cast<Index>(kept.size());
    if (node.parent != none)
      node.parent = moved[node.parent];
    sent_live_ += node.sent ? 1 : 0;
    kept.push_back(std::move(node));
  }
  nodes_ = std::move(kept);
}

void DraftTree::rescore() {
  for (Node& node : nodes_) {
    bool certain = node.parent == none || node.position <= prompt_end_;
    node.depth = certain ? 0 : nodes_[node.parent].depth + 1;
    node.path_probability =
        certain ? 1 : nodes_[node.parent].path_probability * std::exp(double{node.log_prob});
  }
}

/// A child would stand at the next position; a draft that reads features needs the parent's.
bool DraftTree::can_expand(const Node& node) const {
  if (node.position + 1 >= position_limit_)
    return false;
  if (!kv_.reads_features())
    return true;
  if (node.parent == none)
    return kv_.knows_feature_before(node.position);
  const DraftKv::Entry& parent = nodes_[node.parent].draft;
  return parent.slot != DraftKv::no_slot && !parent.feature.empty();
}

std::vector<DraftTree::Choice> DraftTree::best_to_expand(std::size_t count, double min_probability,
                                                         std::uint32_t max_depth,
                                                         bool refresh) const {
  std::vector<Choice> choices;
  for (Index i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    if (node.path_probability < min_probability || node.depth >= max_depth || !can_expand(node))
      continue;
    double value = node.path_probability;
    if (node.expanded_at != never) {
      if (!refresh || node.expanded_at <= node.depth)
        continue;
      value *= 0.1 * std::min(1.0, (node.expanded_at - node.depth) / 3.0);
    }
    choices.push_back({i, value});
  }
  count = std::min(count, choices.size());
  std::partial_sort(choices.begin(), choices.begin() + static_cast<std::ptrdiff_t>(count),
                    choices.end(), [](const Choice& a, const Choice& b) {
                      return a.value != b.value ? a.value > b.value : a.index < b.index;
                    });
  choices.resize(count);
  return choices;
}

std::vector<DraftTree::Choice> DraftTree::best_of_level(std::uint32_t depth,
                                                        std::size_t count) const {
  std::vector<Choice> choices;
  auto eligible = [&](const Node& node) {
    return node.depth == depth && node.position >= prompt_end_ && node.expanded_at == never &&
           can_expand(node);
  };
  for (Index i : first(count, eligible, [this](Index a, Index b) {
         return nodes_[a].path_probability != nodes_[b].path_probability
                    ? nodes_[a].path_probability > nodes_[b].path_probability
                    : a < b;
       }))
    choices.push_back({i, nodes_[i].path_probability});
  return choices;
}

std::vector<DraftTree::Index> DraftTree::best_to_send(std::size_t count,
                                                      double min_probability) const {
  auto eligible = [&](const Node& node) {
    return !node.sent && node.path_probability >= min_probability &&
           node.position < position_limit_;
  };
  // A parent's path probability is never below its child's, and its index is lower.
  return first(count, eligible, [this](Index a, Index b) {
    return nodes_[a].path_probability != nodes_[b].path_probability
               ? nodes_[a].path_probability > nodes_[b].path_probability
               : a < b;
  });
}

std::vector<DraftTree::Index> DraftTree::first_to_send(std::size_t count,
                                                       double min_probability) const {
  auto eligible = [&](const Node& node) {
    return !node.sent && node.path_probability >= min_probability &&
           node.position < position_limit_;
  };
  return first(count, eligible, [this](Index a, Index b) {
    if (nodes_[a].position != nodes_[b].position)
      return nodes_[a].position < nodes_[b].position;
    return nodes_[a].path_probability != nodes_[b].path_probability
               ? nodes_[a].path_probability > nodes_[b].path_probability
               : a < b;
  });
}

template <class Predicate, class Before>
std::vector<DraftTree::Index> DraftTree::first(std::size_t count, Predicate eligible,
                                               Before before) const {
  std::vector<Index> found;
  for (Index i = 0; i < nodes_.size(); ++i)
    if (eligible(nodes_[i]))
      found.push_back(i);
  count = std::min(count, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), found.end(),
                    before);
  found.resize(count);
  return found;
}

std::uint32_t DraftTree::height() const {
  std::uint32_t height = 0;
  for (const Node& node : nodes_)
    height = std::max(height, node.depth);
  return height;
}

void DraftTree::expand(Index parent, std::span<const Candidate> proposals, double min_probability) {
  nodes_[parent].expanded_at = nodes_[parent].depth;
  auto padding =
      std::ranges::find_if(proposals, [](const Candidate& proposal) { return proposal.token < 0; });
  nodes_[parent].proposals.assign(proposals.begin(), padding);
  std::vector<Index> children;
  for (Index i = parent + 1; i < nodes_.size(); ++i)
    if (nodes_[i].parent == parent)
      children.push_back(i);
  float least = 0;
  bool changed = false;
  for (std::size_t i = 0; i < nodes_[parent].proposals.size(); ++i) {
    const Candidate proposal = nodes_[parent].proposals[i];
    // Rounding must not lift a child above its parent, or the order would break.
    least = std::min(proposal.log_prob, 0.0F);
    auto known = std::find_if(children.begin(), children.end(),
                              [&](Index child) { return nodes_[child].token == proposal.token; });
    if (known != children.end()) {
      changed |= nodes_[*known].log_prob != least;
      nodes_[*known].log_prob = least;
      children.erase(known);
      continue;
    }
    Node node;
    node.parent = parent;
    node.token = proposal.token;
    node.position = nodes_[parent].position + 1;
    node.depth = nodes_[parent].depth + 1;
    node.log_prob = least;
    node.path_probability = nodes_[parent].path_probability * std::exp(double{node.log_prob});
    bool room = nodes_.size() < max_nodes_ + std::size_t{prompt_end_} + 1;
    if (node.path_probability < min_probability || !room)
      continue;
    node.serial = next_serial_++;
    node.id = next_id_++;
    nodes_.push_back(std::move(node));
  }
  for (Index child : children) {
    changed |= nodes_[child].log_prob > least;
    nodes_[child].log_prob = std::min(nodes_[child].log_prob, least);
  }
  if (changed)
    rescore();
}

void DraftTree::mark_sent(Index index) {
  sent_live_ += nodes_[index].sent ? 0 : 1;
  nodes_[index].sent = true;
}

void DraftTree::keep_best_unsent(std::size_t count) {
  std::vector<bool> keep(nodes_.size());
  for (Index i = 0; i < nodes_.size(); ++i)
    keep[i] = i == root() || nodes_[i].sent;
  std::size_t room = count;
  for (Index i : best_to_send(nodes_.size(), 0))
    if (!keep[i] && room > 0) {
      keep[i] = true;
      --room;
    }
  // A node whose children are forgotten may propose them again.
  std::vector<bool> has_children(nodes_.size());
  for (Index i = 0; i < nodes_.size(); ++i)
    if (keep[i] && nodes_[i].parent != none)
      has_children[nodes_[i].parent] = true;
  for (Index i = 0; i < nodes_.size(); ++i)
    if (!keep[i] && nodes_[i].parent != none && !has_children[nodes_[i].parent])
      nodes_[nodes_[i].parent].expanded_at = never;
  retain(keep);
}

void DraftTree::guess_feature(Index index, std::span<const float> feature) {
  DraftKv::Entry& entry = nodes_[index].draft;
  if (!entry.feature_is_exact)
    entry.feature.assign(feature.begin(), feature.end());
}

void DraftTree::learn_feature(TreeNodeId id, std::span<const float> feature) {
  if (kv_.learn_committed(id, feature))
    return;
  if (auto index = find(id); index != none) {
    nodes_[index].draft.feature.assign(feature.begin(), feature.end());
    nodes_[index].draft.feature_is_exact = true;
  }
}

bool DraftTree::awaits_feature(TreeNodeId id) const {
  auto index = find(id);
  return index != none ? !nodes_[index].draft.feature_is_exact : kv_.awaits_feature(id);
}

std::span<const float> DraftTree::parent_feature(Index index) const {
  const Node& node = nodes_[index];
  return node.parent != none ? nodes_[node.parent].draft.feature : feature_before(node.position);
}

bool DraftTree::take_slot(Index index) {
  return kv_.take_slot(nodes_[index].draft, nodes_[index].parent == none);
}

Row DraftTree::row(Index index) const {
  const Node& node = nodes_[index];
  TreeNodeId parent = node.parent != none ? nodes_[node.parent].id : no_node;
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
    out.push_back(nodes_[index].draft.slot);
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
}

std::optional<std::string> DraftTree::broken_invariant() const {
  std::size_t held = 0;
  std::uint32_t sent = 0;
  for (Index i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    held += node.draft.slot != DraftKv::no_slot ? 1 : 0;
    sent += node.sent ? 1 : 0;
    if (i == root() ? node.position != committed_tokens_.size()
                    : node.parent >= i || node.position != nodes_[node.parent].position + 1)
      return fmt::format("draft node {} has position {}", node.id, node.position);
    if (node.sent && i != root() && !nodes_[node.parent].sent)
      return fmt::format("draft node {} was sent before its parent", node.id);
    if (node.draft.slot != DraftKv::no_slot && i != root() &&
        nodes_[node.parent].draft.slot == DraftKv::no_slot)
      return fmt::format("draft node {} was computed before its parent", node.id);
  }
  if (sent != sent_live_)
    return fmt::format("{} live nodes were sent, counted {}", sent, sent_live_);
  return kv_.broken_invariant(held);
}

}  // namespace flowspec
