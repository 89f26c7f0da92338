#include "actors/policy/tap_join.hpp"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

namespace flowspec {

std::optional<std::string> TapJoin::learn(const Features& features, DraftTree& tree,
                                          DraftModel& model) {
  auto taps = model.taps().size();
  std::size_t size = model.feature_size();
  auto columns = taps > 0 ? model.tap_size() : model.feature_size();
  if (features.tap >= std::max<std::size_t>(taps, 1))
    return fmt::format("features of tap {}, the draft reads {}", features.tap, taps);
  if (features.hidden.rows != features.nodes.size() || features.hidden.columns != columns)
    return fmt::format("features of {} x {}, expected {} x {}", features.hidden.rows,
                       features.hidden.columns, features.nodes.size(), columns);
  std::vector<TreeNodeId> complete;
  std::vector<float> values;
  for (std::size_t i = 0; i < features.nodes.size(); ++i) {
    auto id = features.nodes[i];
    if (taps == 0)
      tree.learn_feature(id, features.hidden.row(i));
    else if (tree.awaits_feature(id) && add(id, features.tap, taps, features.hidden.row(i), values))
      complete.push_back(id);
  }
  if (complete.empty())
    return std::nullopt;
  std::vector<float> read(complete.size() * size);
  model.read_taps(values, complete.size(), read);
  for (std::size_t i = 0; i < complete.size(); ++i)
    tree.learn_feature(complete[i], std::span<const float>(read).subspan(i * size, size));
  return std::nullopt;
}

bool TapJoin::add(TreeNodeId node, std::size_t tap, std::size_t taps, std::span<const float> values,
                  std::vector<float>& out) {
  assert(tap < taps);
  auto [it, is_new] = nodes_.try_emplace(node);
  Entry& entry = it->second;
  if (is_new)
    entry = {std::vector<float>(taps * values.size()), std::vector<bool>(taps), taps};
  std::ranges::copy(values,
                    entry.values.begin() + static_cast<std::ptrdiff_t>(tap * values.size()));
  entry.missing -= entry.has[tap] ? 0 : 1;
  entry.has[tap] = true;
  if (entry.missing > 0)
    return false;
  out.insert(out.end(), entry.values.begin(), entry.values.end());
  nodes_.erase(it);
  return true;
}

void TapJoin::keep_if(const std::function<bool(TreeNodeId)>& is_wanted) {
  std::erase_if(
      nodes_, [&](const auto& entry) { return !is_wanted(entry.first); });
}

}  // namespace flowspec
