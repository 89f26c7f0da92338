#include "actors/tree/live_view.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "models/base/error.hpp"

namespace flowspec {

namespace {

ViewResult invalid(std::string error) {
  return {ViewResult::Kind::invalid, 0, std::move(error)};
}

}  // namespace

LiveView::LiveView(TreeNodeId root, std::shared_ptr<SlotPool> pool)
    : root_(root), pool_(std::move(pool)) {}

LiveView::LiveView(TreeNodeId root, std::shared_ptr<SlotPool> pool, std::span<const Token> cached)
    : LiveView(root, std::move(pool)) {
  // The object is whole by now: if this throws, its destructor gives back what was taken.
  committed_tokens_.assign(cached.begin(), cached.end());
  for (std::size_t i = 0; i < cached.size(); ++i) {
    auto slot = take();
    if (!slot)
      throw ModelError(fmt::format("no KV slot left of {}", pool_->capacity()));
    committed_.push_back(*slot);
  }
}

LiveView::LiveView(TreeNodeId root, const LiveView& other, Position shared)
    : LiveView(root, other.pool_) {
  auto first = [shared](const auto& values) { return values.begin() + shared; };
  committed_tokens_.assign(other.committed_tokens_.begin(), first(other.committed_tokens_));
  committed_.assign(other.committed_.begin(), first(other.committed_));
  for (auto slot : committed_)
    pool_->share(slot);
}

LiveView::~LiveView() {
  if (pool_ == nullptr)
    return;
  for (auto slot : committed_)
    pool_->release(slot);
  for (const Node& node : live_)
    pool_->release(node.slot);
}

std::optional<Slot> LiveView::take() {
  auto slot = pool_->take(last_taken_);
  if (slot)
    last_taken_ = slot;
  return slot;
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
  auto slot = take();
  if (!slot)
    return invalid(fmt::format("no KV slot left of {}", pool_->capacity()));
  index_.emplace(row.id, live_.size());
  live_.push_back({row.id, row.parent, row.token, row.position, *slot});
  return {ViewResult::Kind::applied, *slot, {}};
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
      pool_->release(node.slot);
    }
  }
  live_.resize(count);
  index_ = std::move(kept);
  version_ = prune.version;
  root_ = prune.root.id;
  return {};
}

void LiveView::forget_live() {
  for (const Node& node : live_)
    pool_->release(node.slot);
  live_.clear();
  index_.clear();
}

void LiveView::append_path(TreeNodeId id, std::vector<Slot>& out) const {
  auto first = out.size();
  for (const Node* node = find(id); node != nullptr; node = find(node->parent))
    out.push_back(node->slot);
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
}

std::optional<std::string> LiveView::broken_invariant() const {
  std::set<Slot> used;
  auto take = [&](Slot slot) { return pool_->references(slot) > 0 && used.insert(slot).second; };
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
  return std::nullopt;
}

}  // namespace flowspec
