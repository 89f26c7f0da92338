#pragma once

#include <filesystem>
#include <memory>

#include "models/drafts/draft_model.hpp"
#include "models/drafts/draft_output.hpp"

namespace flowspec {

struct ModelConfig;

/// An EAGLE-1/2 head: predicts the target's next feature and, with the target's LM head, its next
/// tokens. A *feature* is a hidden state after the target's final norm (`LmHead::features`).
///
/// For each row a linear layer joins the embedding of its token with the feature of its parent. The
/// result goes through one decoder layer, which has no norm before its attention. The output is the
/// predicted feature of the row itself: `features_out`, which the LM head turns into candidates,
/// without a norm. Li et al., "EAGLE", ICML 2024, and "EAGLE-2", EMNLP 2024.
///
/// `features_in` of a row is the target's own feature of the parent if it is known, else what
/// `forward` wrote to the parent's `features_out`. Once it is known the row may be computed again,
/// into the same slot. `features_out` may be empty if it is not needed.
///
/// The first token of a text has no parent. For a row at position 0, `forward` computes nothing: it
/// writes no candidates (token -1) and a feature of zeros; the row's slot is never read. The row at
/// position p >= 1 is rotated as position p - 1, as in training, and reads the slots of positions 1
/// to p.
///
/// A row's result depends only on the row and its context, as in `StageModel`.
class EagleHead : public DraftModel {
 public:
  /// @param path  a folder with config.json and model.safetensors, or a safetensors file with a
  ///              config.json beside it; tensors are named as in the public checkpoints.
  /// @param output  the target's LM head, or a part of it. `LmHead::share` makes one without loading
  ///                its weights again.
  /// @param type  what the head's own matrices become; the embedding stays as it is.
  /// Throws ModelError, which names file and tensor.
  EagleHead(const std::filesystem::path& path, DraftOutput output, unsigned threads = 1,
            std::uint32_t max_rows = 64, LoadType type = LoadType::as_is);
  ~EagleHead() override;
  /// Throws what the constructor would throw, without reading weights.
  static void check(const std::filesystem::path& path, const ModelConfig& target);
  /// Bytes of memory that a head takes, without KV and without the target's LM head. Throws as the
  /// constructor does.
  static std::uint64_t needed_bytes(const std::filesystem::path& path, std::uint32_t max_rows,
                                    LoadType type = LoadType::as_is);

  std::uint32_t feature_size() const override;
  std::unique_ptr<KvCache> make_cache(std::uint32_t slots) const override;
  std::size_t cache_bytes(std::uint32_t slots) const override;
  std::uint32_t max_rows() const override;
  float first_scale(float temperature) const override;
  void forward(std::span<const DraftRow> rows, std::span<const float> features_in,
               std::uint32_t top_k, std::span<Candidate> candidates,
               std::span<float> features_out) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flowspec
