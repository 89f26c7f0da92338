#pragma once
/// Chains of `chain` and `chain-pp`: below the root one guess at each level, the draft's best. A
/// chain ends with the first guess that is not likely to be reached; one below it would not be worth
/// a draft forward.

#include "actors/policy/modes/modes.hpp"

namespace flowspec {

class GuessChain : public Mode {
 public:
  /// The end of the chain, while it may grow.
  std::vector<DraftTree::Choice> to_expand(const DraftPolicy& policy, const DraftTree& tree,
                                           const DraftProgress& progress,
                                           std::size_t count) const override;
};

/// What both have in common, for a pipeline of `stages` stages.
DraftPolicy guess_chain_policy(const GuessChain& mode, std::uint32_t stages);

}  // namespace flowspec
