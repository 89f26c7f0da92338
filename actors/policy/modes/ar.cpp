#include "actors/policy/modes/modes.hpp"

namespace flowspec {

namespace {

class Ar : public Mode {
 public:
  std::string_view name() const override { return "ar"; }
  bool speculates() const override { return false; }
  bool mixes_sessions() const override { return true; }
  std::vector<DraftTree::Choice> to_expand(const DraftPolicy& /*policy*/, const DraftTree& /*tree*/,
                                           const DraftProgress& /*progress*/,
                                           std::size_t /*count*/) const override {
    return {};
  }
};

}  // namespace

const Mode& plain_decoding() {
  static const Ar mode;
  return mode;
}

DraftPolicy ar_policy(std::uint32_t stages) {
  auto policy = rounds_policy(plain_decoding(), stages);
  policy.direct_prunes = false;  // no row ever dies
  return policy;
}

}  // namespace flowspec
