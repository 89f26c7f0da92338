#include "actors/policy/modes/guess_chain.hpp"

namespace flowspec {

std::vector<DraftTree::Choice> GuessChain::to_expand(const DraftPolicy& policy,
                                                     const DraftTree& tree,
                                                     const DraftProgress& /*progress*/,
                                                     std::size_t /*count*/) const {
  if (tree.in_prompt())
    return {};
  return tree.best_to_expand(1, policy.min_expand_probability, policy.max_depth);
}

DraftPolicy guess_chain_policy(const GuessChain& mode, std::uint32_t stages) {
  auto policy = rounds_policy(mode, stages);
  policy.order = DraftPolicy::Order::level;
  policy.top_k = 1;
  return policy;
}

}  // namespace flowspec
