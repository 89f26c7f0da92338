#include "actors/policy/modes/round_tree.hpp"

namespace flowspec {

namespace {

class ChunkPp : public RoundTree {
 public:
  std::string_view name() const override { return "chunk-pp"; }

 protected:
  bool verified_as_a_whole() const override { return true; }
};

}  // namespace

DraftPolicy chunk_pp_policy(std::uint32_t stages) {
  static const ChunkPp mode;
  auto policy = round_tree_policy(mode, stages);
  policy.order = DraftPolicy::Order::level;
  return policy;
}

}  // namespace flowspec
