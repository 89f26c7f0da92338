#include "actors/tree/live_view.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace flowspec {

namespace {

ViewResult invalid(std::string error) {
  return {ViewResult::Kind::invalid, 0, std::move(error)};
}

}  // namespace

LiveView::LiveView(TreeNodeId root, std::uint32_t slots) : root_(root), slots_(slots) {
  free_.reserve(slots);
  for (Slot slot = slots; slot > 0; --slot)
    free_.push_back(slot - 1);
}

LiveView::LiveView(TreeNodeId root, std::uint32_t slots, std::span<const Token> cached)
    : LiveView(root, slots) {
  committed_tokens_.assign(cached.begin(), cached.end());
  for (Slot slot = 0; slot < cached.size(); ++slot)
    committed_.push_back(slot);
  free_.resize(slots - cached.size());  // the highest slots come first
}

LiveView::LiveView(TreeNodeId root, const LiveView& previous, Position kept)
    : root_(root),
      slots_(previous.slots_),
      committed_(previous.committed_.begin(), previous.committed_.begin() + kept),
      committed_tokens_(previous.committed_tokens_.begin(),
                        previous.committed_tokens_.begin() + kept) {
  std::vector<bool> taken(slots_);
  for (auto slot : committed_)
    taken[slot] = true;
  for (Slot slot = slots_; slot > 0; --slot)
    if (!taken[slot - 1])
      free_.push_back(slot - 1);
}

const LiveView::Node* LiveView::find(TreeNodeId id) const {
  auto found = index_.find(id);
  return found == index_.end() ? nullptr : &live_[found->second];
}

const LiveView::Node* LiveView::child(TreeNodeId parent, Token token) const {
  auto found = std::find_if(live_.begin(), live_.end(), [&](const Node& node) {
    return node.parent == parent && node.token == token;
  });
  return found == live_.end() ? nullptr : &*found;
}

ViewResult LiveView::admit(const Row& row) {
  if (find(row.id) != nullptr)
    return invalid(fmt::format("node {} was sent twice", row.id));
  const Node* parent = find(row.parent);
  if (row.id != root_ && parent == nullptr)
    return {ViewResult::Kind::ignored, 0, {}};
  // In a view older than the prune that made this row the root, the parent is still live.
  auto expected =
      parent != nullptr ? parent->position + 1 : static_cast<Position>(committed_.size());
  if (row.position != expected)
    return invalid(
        fmt::format("node {} has position {}, expected {}", row.id, row.position, expected));
  if (free_.empty())
    return invalid(fmt::format("no KV slot left of {}", slots_));
  auto slot = free_.back();
  free_.pop_back();
  index_.emplace(row.id, live_.size());
  live_.push_back({row.id, row.parent, row.token, row.position, slot});
  return {ViewResult::Kind::applied, slot, {}};
}

ViewResult LiveView::apply(const Prune& prune) {
  if (prune.version <= version_)
    return {ViewResult::Kind::ignored, 0, {}};
  if (prune.version != version_ + 1)
    return invalid(fmt::format("prune of version {} follows version {}", prune.version, version_));
  if (prune.path.empty())
    return invalid(fmt::format("prune of version {} has an empty path", prune.version));
  TreeNodeId last = no_node;
  for (auto id : prune.path) {
    const Node* node = find(id);
    if (node == nullptr || id == prune.root.id)
      return invalid(
          fmt::format("prune of version {} commits node {}, which is not live", prune.version, id));
    if (last == no_node ? id != root_ : node->parent != last)
      return invalid(fmt::format("prune of version {}: node {} does not continue the path",
                                 prune.version, id));
    last = id;
  }
  auto position = static_cast<Position>(committed_.size() + prune.path.size());
  if (prune.root.position != position)
    return invalid(fmt::format("prune of version {} puts the root at position {}, expected {}",
                               prune.version, prune.root.position, position));

  std::vector<TreeNodeId> committed = prune.path;
  for (auto id : committed) {
    committed_.push_back(find(id)->slot);
    committed_tokens_.push_back(find(id)->token);
  }
  std::sort(committed.begin(), committed.end());

  // Parents come before children, so one pass in order decides which nodes live.
  std::unordered_map<TreeNodeId, std::size_t> kept;
  std::size_t count = 0;
  for (const Node& node : live_) {
    if (std::binary_search(committed.begin(), committed.end(), node.id))
      continue;
    if (node.id == prune.root.id || kept.contains(node.parent)) {
      kept.emplace(node.id, count);
      live_[count++] = node;
    } else {
      free_.push_back(node.slot);
    }
  }
  live_.resize(count);
  index_ = std::move(kept);
  version_ = prune.version;
  root_ = prune.root.id;
  return {};
}

void LiveView::append_path(TreeNodeId id, std::vector<Slot>& out) const {
  auto first = out.size();
  for (const Node* node = find(id); node != nullptr; node = find(node->parent))
    out.push_back(node->slot);
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
}

std::optional<std::string> LiveView::broken_invariant() const {
  if (committed_.size() + live_.size() + free_.size() != slots_)
    return fmt::format("{} committed, {} live and {} free slots are not {}", committed_.size(),
                       live_.size(), free_.size(), slots_);
  std::vector<bool> used(slots_, false);
  auto take = [&](Slot slot) {
    if (slot >= slots_ || used[slot])
      return false;
    used[slot] = true;
    return true;
  };
  for (auto slot : committed_)
    if (!take(slot))
      return fmt::format("committed slot {} is used twice", slot);
  for (const Node& node : live_) {
    if (!take(node.slot))
      return fmt::format("live slot {} is used twice", node.slot);
    const Node* parent = find(node.parent);
    if (parent == nullptr && node.id != root_)
      return fmt::format("node {} is live without a live parent", node.id);
    auto expected = parent != nullptr ? parent->position + 1 : committed_.size();
    if (node.position != expected)
      return fmt::format("node {} has position {}, expected {}", node.id, node.position, expected);
  }
  for (auto slot : free_)
    if (!take(slot))
      return fmt::format("free slot {} is used twice", slot);
  return std::nullopt;
}

}  // namespace flowspec
