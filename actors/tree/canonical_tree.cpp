#include "actors/tree/canonical_tree.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace flowspec {

CanonicalTree::CanonicalTree(SessionId session, TreeNodeId root, Position root_position)
    : session_(session), root_(root), root_position_(root_position) {
  // nop
}

void CanonicalTree::grow(std::span<const Row> rows) {
  for (const Row& row : rows) {
    if (row.id != root_ && !nodes_.contains(row.parent))
      continue;
    if (nodes_.emplace(row.id, Node{row.parent, row.token}).second)
      order_.push_back(row.id);
  }
}

std::variant<Decision, StalePath, std::string> CanonicalTree::decide(const AcceptedPath& accepted) {
  if (accepted.version < version_)
    return StalePath{};
  if (accepted.version > version_)
    return fmt::format("a walk of version {}, the tree is at {}", accepted.version, version_);
  if (accepted.path.empty() || accepted.path.front().id != root_)
    return fmt::format("a walk that does not start at root {}", root_);
  for (std::size_t i = 0; i < accepted.path.size(); ++i) {
    const PathNode& step = accepted.path[i];
    if (i > 0 && step.parent != accepted.path[i - 1].id)
      return fmt::format("a walk in which node {} does not follow node {}", step.id,
                         accepted.path[i - 1].id);
    // An accepted path may arrive before the message about its rows, so an unknown node is fine.
    if (auto known = nodes_.find(step.id);
        known != nodes_.end() && known->second.token != step.token)
      return fmt::format("a walk in which node {} has token {}, it was sent with {}", step.id,
                         step.token, known->second.token);
  }

  Decision decision;
  decision.position = root_position_ + 1;
  for (std::size_t i = 1; i < accepted.path.size(); ++i)
    decision.accepted.push_back(accepted.path[i].token);
  decision.accepted.push_back(accepted.next);
  // Of other tokens they would be worse than none.
  if (std::ranges::equal(accepted.logprobs, decision.accepted, {}, &TokenLogprob::token))
    decision.logprobs = accepted.logprobs;

  TreeNodeId last = accepted.path.back().id;
  TreeNodeId root = no_node;
  for (TreeNodeId id : order_) {
    const Node& node = nodes_.at(id);
    if (node.parent == last && node.token == accepted.next)
      root = id;
  }
  decision.hit = root != no_node;
  if (!decision.hit)
    root = next_fresh_++;

  Prune& prune = decision.prune;
  prune.session = session_;
  prune.version = ++version_;
  for (const PathNode& step : accepted.path)
    prune.path.push_back(step.id);
  root_ = root;
  root_position_ += static_cast<Position>(accepted.path.size());
  prune.root = {session_, root, last, accepted.next, root_position_};
  keep_subtree(root);
  return decision;
}

void CanonicalTree::keep_subtree(TreeNodeId root) {
  std::unordered_map<TreeNodeId, Node> kept;
  std::vector<TreeNodeId> order;
  for (TreeNodeId id : order_) {
    const Node& node = nodes_.at(id);
    if (id == root || kept.contains(node.parent)) {
      kept.emplace(id, node);
      order.push_back(id);
    }
  }
  nodes_ = std::move(kept);
  order_ = std::move(order);
}

}  // namespace flowspec
