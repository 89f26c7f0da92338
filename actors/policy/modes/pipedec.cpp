#include <algorithm>

#include "actors/policy/modes/modes.hpp"

namespace flowspec {

namespace {

/// Levels of 16 nodes (arXiv 2504.04104).
constexpr std::uint32_t level_nodes = 16;

class Pipedec : public Mode {
 public:
  std::string_view name() const override { return "pipedec"; }
  std::vector<DraftTree::Choice> to_expand(const DraftPolicy& policy, const DraftTree& tree,
                                           const DraftProgress& /*progress*/,
                                           std::size_t count) const override {
    // One level of the tree that waits to be sent is enough.
    bool waiting = tree.unsent() > (tree.node(tree.root()).sent ? 0U : 1U);
    if (tree.in_prompt() || waiting || tree.height() >= policy.max_depth)
      return {};
    return tree.best_of_level(tree.height(), count);
  }
  void forward_ended(const DraftPolicy& policy, bool /*has_grown*/, DraftTree& tree,
                     DraftProgress& /*progress*/) const override {
    tree.keep_best_unsent(policy.draft_width);
  }
  bool cut(const DraftTree& tree, DraftProgress& /*progress*/,
           std::vector<DraftTree::Index>& rows) const override {
    auto depth = tree.node(rows.front()).depth;
    std::erase_if(rows, [&](auto index) { return tree.node(index).depth != depth; });
    return false;
  }
};

}  // namespace

DraftPolicy pipedec_policy(std::uint32_t stages) {
  static const Pipedec mode;
  auto policy = rounds_policy(mode, stages);
  policy.window = stages + 1;
  policy.order = DraftPolicy::Order::level;
  policy.top_k = policy.draft_width = level_nodes;
  // Levels in flight beside the root's: a new one is drafted when another has returned.
  policy.max_depth = stages;
  return policy;
}

}  // namespace flowspec
