#include "tests/support/scripted_draft.hpp"

#include <algorithm>

namespace flowspec::test {

void ScriptedDraft::forward(std::span<const DraftRow> rows, std::span<const float> features_in,
                            std::uint32_t top_k, std::span<Candidate> candidates,
                            std::span<float> features_out) {
  auto& asked = asked_.emplace_back();
  std::ranges::fill(candidates, Candidate{-1, 0});
  std::ranges::fill(features_out, 0.0F);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<Token> path(rows[i].prefix_tokens.begin(), rows[i].prefix_tokens.end());
    path.insert(path.end(), rows[i].tail_tokens.begin(), rows[i].tail_tokens.end());
    if (path.size() <= prompt_)
      continue;  // the prompt's own rows are of no interest
    path.erase(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(prompt_));
    auto feature = features_in.subspan(i * feature_size_, feature_size_);
    asked.push_back({path, std::ranges::any_of(feature, [](float x) { return x != 0; })});
    auto found = table_.find(path);
    if (found != table_.end())
      std::copy_n(found->second.begin(), std::min<std::size_t>(found->second.size(), top_k),
                  candidates.begin() + static_cast<std::ptrdiff_t>(i * top_k));
  }
}

}  // namespace flowspec::test
