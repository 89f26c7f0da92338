#pragma once

#include <filesystem>
#include <memory>

#include "models/drafts/draft_model.hpp"
#include "models/layers/lm_head.hpp"

namespace flowspec {

struct ModelConfig;

/// An EAGLE-1/2 head: guesses the target's next feature, and with the target's LM head its next
/// tokens. A *feature* is a hidden state after the target's final norm (`LmHead::features`).
///
/// A row joins the embedding of its token with the feature of its parent, by a linear, and puts the
/// result through one decoder layer that has no norm before its attention. What comes out is the
/// guess of the row's own feature: `features_out`, which the LM head turns into candidates, without
/// a norm. Li et al., "EAGLE", ICML 2024, and "EAGLE-2", EMNLP 2024.
///
/// `features_in` of a row is the target's own feature of the parent where it is known, else what
/// `forward` wrote to the parent's `features_out`. When it becomes known the row may be computed
/// again, into the same slot. `features_out` may be empty where nobody wants it.
///
/// The first token of a text has no parent and so no row: with position 0, `forward` computes
/// nothing, writes no candidates (token -1) and zeros as the feature; the row's slot is never read.
/// The row at position p >= 1 is turned as position p - 1, as in training, and reads the slots of
/// positions 1 to p.
///
/// A row's result depends on the row and its context alone, as a `StageModel`'s does.
class EagleHead : public DraftModel {
 public:
  /// @param path  a folder with config.json and model.safetensors, or a safetensors file with a
  ///              config.json beside it; tensors are named as in the public checkpoints.
  /// @param lm_head  the target's. `LmHead::share` makes one without loading its weights again.
  /// Throws ModelError, which names file and tensor.
  EagleHead(const std::filesystem::path& path, LmHead lm_head, unsigned threads = 1,
            std::uint32_t max_rows = 64);
  ~EagleHead() override;
  /// Throws what the constructor would throw, without reading weights.
  static void check(const std::filesystem::path& path, const ModelConfig& target);
  /// What one takes in memory, without KV and without the target's LM head. Throws as the
  /// constructor does.
  static std::uint64_t needed_bytes(const std::filesystem::path& path, std::uint32_t max_rows);

  std::uint32_t feature_size() const override;
  KvCache make_cache(std::uint32_t slots) const override;
  std::uint32_t max_rows() const override;
  void forward(std::span<const DraftRow> rows, std::span<const float> features_in,
               std::uint32_t top_k, std::span<Candidate> candidates,
               std::span<float> features_out) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flowspec
