#include <algorithm>

#include "actors/policy/modes/modes.hpp"

namespace flowspec {

namespace {

class Flowspec : public Mode {
 public:
  std::string_view name() const override { return "flowspec"; }
  bool mixes_sessions() const override { return true; }
  std::vector<DraftTree::Choice> to_expand(const DraftPolicy& policy, const DraftTree& tree,
                                           const DraftProgress& /*progress*/,
                                           std::size_t count) const override {
    return tree.best_to_expand(count, policy.min_expand_probability, policy.max_depth,
                               policy.refresh && tree.reads_features());
  }
};

}  // namespace

DraftPolicy flowspec_policy(std::uint32_t stages) {
  static const Flowspec mode;
  DraftPolicy policy{.mode = &mode};
  policy.window = stages;
  policy.widest_window = 4 * stages;
  policy.adaptive = true;
  policy.lookup = true;
  policy.widest_draft = 64;
  policy.min_expand_probability = 0.001;
  // Deep enough for every stage to hold guesses of several levels.
  policy.max_depth = std::max(20U, 3 * stages);
  return policy;
}

}  // namespace flowspec
