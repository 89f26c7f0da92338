#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "models/drafts/draft_model.hpp"
#include "models/drafts/draft_output.hpp"

namespace flowspec {

class ModelFiles;
struct ModelConfig;

/// An EAGLE-3 head: reads the target's residual stream at several layers (`taps`, see
/// `Eagle3Config`) and predicts its next tokens. Li et al., "EAGLE-3", 2025.
///
/// A linear layer turns the taps of a node into its feature g (`read_taps`). The row of token t at
/// position p reads [norm(embedding of t); norm(g of position p - 1)] in its first layer, whose
/// residual stream begins as g. What leaves the last layer is the predicted g of position p
/// (`features_out`); after a norm, the output matrix gives logits of the *draft's* vocabulary, which
/// may be only a part of the target's. Positions, and the text's first token, are treated as by
/// `EagleHead`, and a row's result depends only on the row and its context.
///
/// The embedding and the output matrix are the head's own, or the target's if it has none.
class Eagle3Head : public DraftModel {
 public:
  /// @param path  see `open_eagle3`.
  /// @param target_files  not needed after the call.
  /// @param target_output  used if the head has no output matrix of its own: the target's LM head, as
  ///                       `LmHead::share` makes it, or a part of it.
  /// @param type  what the head's own matrices become; the embedding stays as it is.
  /// Throws ModelError, which names file and tensor.
  Eagle3Head(const std::filesystem::path& path, const ModelFiles& target_files,
             const ModelConfig& target, DraftOutput target_output, unsigned threads = 1,
             std::uint32_t max_rows = 64, LoadType type = LoadType::as_is);
  ~Eagle3Head() override;
  /// What a head would read of the target, besides its embedding.
  struct Reads {
    std::vector<std::uint32_t> taps;
    /// The head has no output matrix of its own.
    bool lm_head = false;
  };
  /// Throws what the constructor would throw, without reading weights.
  static Reads check(const std::filesystem::path& path, const ModelFiles& target_files,
                     const ModelConfig& target);
  /// Bytes of memory that a head takes, without KV and without the target's LM head. Throws as the
  /// constructor does.
  static std::uint64_t needed_bytes(const std::filesystem::path& path,
                                    const ModelFiles& target_files, const ModelConfig& target,
                                    std::uint32_t max_rows, LoadType type = LoadType::as_is);

  std::uint32_t feature_size() const override;
  std::span<const std::uint32_t> taps() const override;
  std::uint32_t tap_size() const override;
  void read_taps(std::span<const float> values, std::size_t rows,
                 std::span<float> features) override;
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
