#pragma once

#include <vector>

#include "models/drafts/draft_model.hpp"
#include "models/layers/lm_head.hpp"
#include "models/layers/stage_model.hpp"

namespace flowspec {

/// A whole language model as the draft. Its vocabulary has to be the target's.
class SmallLm : public DraftModel {
 public:
  /// Throws ModelError as `StageModel` does.
  SmallLm(const ModelFiles& files, const ModelConfig& config, unsigned threads = 1,
          std::uint32_t max_rows = 64, const LoadProgress& progress = {},
          KvType kv_type = KvType::f32);

  std::uint32_t feature_size() const override { return 0; }
  KvCache make_cache(std::uint32_t slots) const override;
  std::uint32_t max_rows() const override;
  void forward(std::span<const DraftRow> rows, std::span<const float> features_in,
               std::uint32_t top_k, std::span<Candidate> candidates,
               std::span<float> features_out) override;

 private:
  void forward_part(std::span<const DraftRow> rows, std::uint32_t top_k,
                    std::span<Candidate> candidates);

  StageModel model_;
  LmHead head_;
  std::vector<Token> tokens_;
  std::vector<RowContext> contexts_;
  std::vector<float> hidden_;
  std::vector<float> logits_;
};

}  // namespace flowspec
