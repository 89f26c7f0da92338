#pragma once

#include <vector>

#include "models/drafts/draft_model.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/layers/lm_head.hpp"

namespace flowspec {

/// A whole language model as the draft. Its tokens must be the target's, but either model may have
/// more, since vocabularies are padded. A token that this model lacks is read as its token 0; one
/// that the target lacks is never proposed.
class SmallLm : public DraftModel {
 public:
  /// Throws ModelError as `StageModel` does.
  /// @param target_vocab_size  vocabulary size of the target; 0: the same as this model's.
  /// @param type  what the matrices become; the embedding stays as it is.
  /// @param hidden_type  what hidden states are rounded to after every layer.
  SmallLm(const ModelFiles& files, const ModelConfig& config, unsigned threads = 1,
          std::uint32_t max_rows = 64, const LoadProgress& progress = {},
          KvType kv_type = KvType::f32, std::uint32_t target_vocab_size = 0,
          LoadType type = LoadType::as_is, HiddenType hidden_type = HiddenType::f32);
  /// Bytes of memory that the model takes, without KV. Throws as the constructor does.
  static std::uint64_t needed_bytes(const ModelFiles& files, const ModelConfig& config,
                                    std::uint32_t max_rows, LoadType type = LoadType::as_is);

  std::uint32_t feature_size() const override { return 0; }
  std::unique_ptr<KvCache> make_cache(std::uint32_t slots) const override;
  std::size_t cache_bytes(std::uint32_t slots) const override;
  std::uint32_t max_rows() const override;
  float first_scale(float temperature) const override;
  void forward(std::span<const DraftRow> rows, std::span<const float> features_in,
               std::uint32_t top_k, std::span<Candidate> candidates,
               std::span<float> features_out) override;

 private:
  void forward_part(std::span<const DraftRow> rows, std::uint32_t top_k,
                    std::span<Candidate> candidates);

  CpuStageModel model_;
  LmHead head_;
  /// Tokens that both models have.
  std::uint32_t common_vocab_size_;
  std::vector<Token> tokens_;
  std::vector<RowContext> contexts_;
  std::vector<float> hidden_;
  std::vector<float> logits_;
};

}  // namespace flowspec
