#include "actors/policy/policy.hpp"

namespace flowspec {

namespace {

/// Draft forwards of the published trees: the root, then six levels.
constexpr std::uint32_t published_forwards = 7;

}  // namespace

std::optional<DraftPolicy> mode_policy(std::string_view mode, std::uint32_t stages) {
  using Growth = DraftPolicy::Growth;
  DraftPolicy policy;
  policy.window = stages;
  if (mode == "flowspec") {
    policy.adaptive = true;
    return policy;
  }
  // The other modes go by rounds: nothing is kept for a root that was not foreseen.
  policy.adopt = false;
  policy.refresh = false;
  policy.hold = 0;
  policy.min_mass = 0;
  policy.send_reach = policy.expand_reach = policy.keep_reach = 0;
  if (mode == "ar") {
    policy.growth = Growth::none;
    return policy;
  }
  policy.window = stages + 1;
  if (mode == "chunk-pp" || mode == "pruned-pp") {
    policy.growth = Growth::beam;
    policy.max_depth = published_forwards;
    policy.chunks = stages + 1;
    policy.whole_tree = mode == "chunk-pp";
    policy.order = policy.whole_tree ? DraftPolicy::Order::level : DraftPolicy::Order::score;
    return policy;
  }
  if (mode == "pipedec") {
    policy.growth = Growth::layers;
    policy.order = DraftPolicy::Order::level;
    policy.top_k = 16;
    // Levels in flight beside the root's: a new one is drafted when another one has returned.
    policy.max_depth = stages;
    return policy;
  }
  return std::nullopt;
}

const std::vector<std::string_view>& mode_names() {
  static const std::vector<std::string_view> names{"ar", "chunk-pp", "pruned-pp", "pipedec",
                                                   "flowspec"};
  return names;
}

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
    policy.hold = 0;
    policy.min_mass = 0;
    policy.window = 2 * stages;
  } else if (mechanism == "asynchrony") {
    policy.forwards_per_root = policy.hold = published_forwards;
    policy.window = stages + 1;
    policy.adopt = false;
    policy.direct_prunes = false;
  } else {
    return std::nullopt;
  }
  return policy;
}

const std::vector<std::string_view>& ablation_names() {
  static const std::vector<std::string_view> names{"score-order", "pruning",  "context-aware",
                                                   "score-aware", "adoption", "late-dispatch",
                                                   "asynchrony"};
  return names;
}

}  // namespace flowspec
