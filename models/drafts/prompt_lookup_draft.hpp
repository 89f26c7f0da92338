#pragma once

#include <vector>

#include "models/drafts/draft_model.hpp"
#include "models/drafts/prompt_lookup.hpp"

namespace flowspec {

/// Prompt look-up as a draft model: no weights, no cache, no features.
class PromptLookupDraft : public DraftModel {
 public:
  explicit PromptLookupDraft(const PromptLookupOptions& options = {}) : lookup_(options) {}

  std::uint32_t feature_size() const override { return 0; }
  std::uint32_t max_rows() const override;
  void forward(std::span<const DraftRow> rows, std::span<const float> features_in,
               std::uint32_t top_k, std::span<Candidate> candidates,
               std::span<float> features_out) override;

 private:
  PromptLookup lookup_;
  std::vector<Candidate> found_;
};

}  // namespace flowspec
