#include "actors/policy/modes/guess_chain.hpp"

namespace flowspec {

namespace {

class ChainPp : public GuessChain {
 public:
  std::string_view name() const override { return "chain-pp"; }
  /// A root that is not in the pipeline leaves with some guesses; what follows it, when the first
  /// stage is free.
  bool waits_for_draft(const DraftPolicy& policy, const DraftTree& tree,
                       const DraftProgress& /*progress*/) const override {
    return !tree.node(tree.root()).sent && tree.unsent() <= policy.min_drafts_before_send;
  }
};

}  // namespace

DraftPolicy chain_pp_policy(std::uint32_t stages) {
  static const ChainPp mode;
  auto policy = guess_chain_policy(mode, stages);
  // A guess that was not sent yet, and turns out right, keeps what is below it.
  policy.adopt = true;
  // Found on the published 7B devices, for temperatures 0 and 1.
  policy.max_depth = 14;
  policy.min_drafts_before_send = 1;
  return policy;
}

}  // namespace flowspec
