#pragma once
/// Trees of `chunk-pp` and `pruned-pp`: drafted once for every root that is not in the pipeline,
/// level by level, the best `top_k` nodes of each; then cut to the best `tree_nodes` (EAGLE-2),
/// which leave in nearly equal chunks. They have the published parameters: 80 nodes, top-k 10,
/// depth 6 (arXiv 2507.02620).

#include "actors/policy/modes/modes.hpp"

namespace flowspec {

class RoundTree : public Mode {
 public:
  std::vector<DraftTree::Choice> to_expand(const DraftPolicy& policy, const DraftTree& tree,
                                           const DraftProgress& progress,
                                           std::size_t count) const override;
  void forward_ended(const DraftPolicy& policy, bool has_grown, DraftTree& tree,
                     DraftProgress& progress) const override;
  bool waits_for_draft(const DraftPolicy& policy, const DraftTree& tree,
                       const DraftProgress& progress) const override;
  bool complete(const DraftPolicy& policy, DraftTree& tree, DraftProgress& progress) const override;
  bool cut(const DraftTree& tree, DraftProgress& progress,
           std::vector<DraftTree::Index>& rows) const override;

 protected:
  /// The tree is verified only when its last chunk is back.
  virtual bool verified_as_a_whole() const = 0;
};

/// What both have in common, for a pipeline of `stages` stages.
DraftPolicy round_tree_policy(const RoundTree& mode, std::uint32_t stages);

}  // namespace flowspec
