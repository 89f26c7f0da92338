#include "actors/policy/policy.hpp"

namespace flowspec {

std::optional<DraftPolicy> mode_policy(std::string_view mode, std::uint32_t stages) {
  DraftPolicy policy;
  policy.window = stages;
  if (mode == "flowspec")
    return policy;
  if (mode == "ar") {
    policy.speculate = false;
    return policy;
  }
  return std::nullopt;
}

const std::vector<std::string_view>& mode_names() {
  static const std::vector<std::string_view> names{"ar", "flowspec"};
  return names;
}

}  // namespace flowspec
