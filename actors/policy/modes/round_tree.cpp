#include "actors/policy/modes/round_tree.hpp"

#include <algorithm>

namespace flowspec {

std::vector<DraftTree::Choice> RoundTree::to_expand(const DraftPolicy& policy,
                                                    const DraftTree& tree,
                                                    const DraftProgress& progress,
                                                    std::size_t count) const {
  bool complete =
      tree.node(tree.root()).sent || progress.chunks_left > 0 || progress.level >= policy.max_depth;
  if (tree.in_prompt() || complete)
    return {};
  return tree.best_of_level(progress.level, std::min<std::size_t>(count, policy.top_k));
}

void RoundTree::forward_ended(const DraftPolicy& policy, bool has_grown, DraftTree& /*tree*/,
                              DraftProgress& progress) const {
  if (has_grown)
    progress.level = std::min(progress.level + 1, policy.max_depth);
}

bool RoundTree::waits_for_draft(const DraftPolicy& /*policy*/, const DraftTree& tree,
                                const DraftProgress& progress) const {
  return !tree.node(tree.root()).sent && progress.chunks_left == 0;
}

bool RoundTree::complete(const DraftPolicy& policy, DraftTree& tree,
                         DraftProgress& progress) const {
  if (progress.chunks_left > 0)
    return false;
  tree.keep_best_unsent(policy.tree_nodes);
  progress.chunks_left = policy.chunks;
  return true;
}

bool RoundTree::cut(const DraftTree& tree, DraftProgress& progress,
                    std::vector<DraftTree::Index>& rows) const {
  auto size = std::max<std::size_t>(tree.unsent() / progress.chunks_left, 1);
  if (progress.chunks_left > 1 && rows.size() > size)
    rows.resize(size);
  progress.chunks_left = std::max(progress.chunks_left - 1, 1U);
  return verified_as_a_whole() && rows.size() < tree.unsent();
}

DraftPolicy round_tree_policy(const RoundTree& mode, std::uint32_t stages) {
  auto policy = rounds_policy(mode, stages);
  policy.window = policy.chunks = stages + 1;
  policy.max_depth = published_forwards;
  return policy;
}

}  // namespace flowspec
