#include "actors/policy/modes/modes.hpp"

#include <algorithm>
#include <array>

namespace flowspec {

namespace {

struct Entry {
  std::string_view name;
  DraftPolicy (*policy)(std::uint32_t stages);
};

constexpr std::array<Entry, 7> modes{{{"ar", ar_policy},
                                      {"chunk-pp", chunk_pp_policy},
                                      {"pruned-pp", pruned_pp_policy},
                                      {"pipedec", pipedec_policy},
                                      {"chain", chain_policy},
                                      {"chain-pp", chain_pp_policy},
                                      {"flowspec", flowspec_policy}}};

}  // namespace

std::optional<DraftPolicy> mode_policy(std::string_view mode, std::uint32_t stages) {
  const auto* found = std::find_if(modes.begin(), modes.end(),
                                   [mode](const Entry& entry) { return entry.name == mode; });
  return found != modes.end() ? std::optional(found->policy(stages)) : std::nullopt;
}

const std::vector<std::string_view>& mode_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    all.reserve(modes.size());
    for (const Entry& mode : modes)
      all.push_back(mode.name);
    return all;
  }();
  return names;
}

const std::vector<std::string_view>& published_mode_names() {
  static const std::vector<std::string_view> names{"ar", "chunk-pp", "pruned-pp", "pipedec",
                                                   "flowspec"};
  return names;
}

DraftPolicy rounds_policy(const Mode& mode, std::uint32_t stages) {
  DraftPolicy policy{.mode = &mode};
  policy.window = stages;
  policy.adopt = false;
  policy.refresh = false;
  policy.min_drafts_before_send = 0;
  policy.min_mass = 0;
  policy.min_send_probability = policy.min_expand_probability = policy.min_keep_probability = 0;
  return policy;
}

}  // namespace flowspec
