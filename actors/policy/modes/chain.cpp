#include "actors/policy/modes/guess_chain.hpp"

namespace flowspec {

namespace {

class Chain : public GuessChain {
 public:
  std::string_view name() const override { return "chain"; }
  std::vector<DraftTree::Choice> to_expand(const DraftPolicy& policy, const DraftTree& tree,
                                           const DraftProgress& progress,
                                           std::size_t count) const override {
    // One round in flight: nothing is drafted until it is back.
    if (tree.node(tree.root()).sent)
      return {};
    return GuessChain::to_expand(policy, tree, progress, count);
  }
  bool waits_for_draft(const DraftPolicy& /*policy*/, const DraftTree& tree,
                       const DraftProgress& /*progress*/) const override {
    return !tree.node(tree.root()).sent;
  }
};

}  // namespace

DraftPolicy chain_policy(std::uint32_t stages) {
  static const Chain mode;
  auto policy = guess_chain_policy(mode, stages);
  policy.max_depth = 8;
  // Found on the published 7B devices, for temperatures 0 and 1.
  policy.min_expand_probability = 0.1;
  return policy;
}

}  // namespace flowspec
