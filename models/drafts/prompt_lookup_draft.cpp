#include "models/drafts/prompt_lookup_draft.hpp"

#include <algorithm>
#include <cassert>

namespace flowspec {

std::uint32_t PromptLookupDraft::max_rows() const {
  return 64;
}

void PromptLookupDraft::forward(std::span<const DraftRow> rows,
                                std::span<const float> /*features_in*/, std::uint32_t top_k,
                                std::span<Candidate> candidates,
                                std::span<float> /*features_out*/) {
  assert(candidates.size() >= rows.size() * top_k);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    lookup_.propose(rows[r].prefix_tokens, rows[r].tail_tokens, found_);
    couple(rows[r].guess, found_);
    const std::span<Candidate> out = candidates.subspan(r * top_k, top_k);
    const std::size_t count = std::min<std::size_t>(found_.size(), top_k);
    std::copy_n(found_.begin(), count, out.begin());
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(count), out.end(), Candidate{-1, 0});
  }
}

}  // namespace flowspec
