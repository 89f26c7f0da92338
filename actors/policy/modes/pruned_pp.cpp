#include "actors/policy/modes/round_tree.hpp"

namespace flowspec {

namespace {

class PrunedPp : public RoundTree {
 public:
  std::string_view name() const override { return "pruned-pp"; }

 protected:
  bool verified_as_a_whole() const override { return false; }
};

}  // namespace

DraftPolicy pruned_pp_policy(std::uint32_t stages) {
  static const PrunedPp mode;
  return round_tree_policy(mode, stages);
}

}  // namespace flowspec
