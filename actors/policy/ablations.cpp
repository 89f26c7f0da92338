#include "actors/policy/ablations.hpp"

#include "actors/policy/modes/modes.hpp"

namespace flowspec {

std::optional<DraftPolicy> without(std::string_view mechanism, DraftPolicy policy,
                                   std::uint32_t stages) {
  if (mechanism == "score-order") {
    policy.order = DraftPolicy::Order::level;
  } else if (mechanism == "pruning") {
    policy.direct_prunes = false;
  } else if (mechanism == "context-aware") {
    policy.refresh = false;
  } else if (mechanism == "score-aware") {
    policy.forwards_per_root = published_forwards;
  } else if (mechanism == "adoption") {
    policy.adopt = false;
  } else if (mechanism == "late-dispatch") {
    policy.late = false;
    policy.min_drafts_before_send = 0;
    policy.min_mass = 0;
    policy.window = 2 * stages;
  } else if (mechanism == "asynchrony") {
    policy.forwards_per_root = policy.min_drafts_before_send = published_forwards;
    policy.window = stages + 1;
    policy.adopt = false;
    policy.direct_prunes = false;
  } else if (mechanism == "coupling") {
    policy.coupled = false;
  } else if (mechanism == "calibration") {
    policy.calibrated = false;
  } else if (mechanism == "lookup") {
    policy.lookup = false;
  } else {
    return std::nullopt;
  }
  return policy;
}

const std::vector<std::string_view>& ablation_names() {
  static const std::vector<std::string_view> names{
      "score-order",   "pruning",    "context-aware", "score-aware", "adoption",
      "late-dispatch", "asynchrony", "coupling",      "calibration", "lookup"};
  return names;
}

}  // namespace flowspec
