#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "models/config/config.hpp"
#include "models/formats/model_files.hpp"
#include "models/layers/lm_head.hpp"
#include "models/layers/stage_model.hpp"

namespace flowspec {

/// The stages of a model and its LM head, computed one after the other by the calling thread: a
/// pipeline with one segment in it, without actors.
class EnginePipeline {
 public:
  struct Shape {
    unsigned threads = 1;
    /// At most as many as there are layers.
    std::uint32_t stages = 1;
    /// Positions that a text may have.
    std::uint32_t context = 0;
    KvType kv_type = KvType::f32;
  };

  /// Rows of the largest segment.
  static constexpr std::uint32_t max_rows = 64;

  EnginePipeline(const ModelFiles& files, const ModelConfig& config, const Shape& shape);

  /// Computes tokens at positions first, first + 1, ...; those before must have been computed.
  /// @param logits  how many rows, the last ones, get logits.
  void forward(std::uint32_t first, std::uint32_t tokens, std::uint32_t logits);
  /// Of the last forward, for each row that got them vocab_size numbers.
  std::span<const float> logits() const { return logits_; }

 private:
  void forward_segment(std::uint32_t first, std::uint32_t tokens);

  ModelConfig config_;
  std::vector<StageModel> stages_;
  LmHead head_;
  std::vector<KvCache> caches_;
  std::vector<Slot> slots_;
  std::vector<Token> tokens_;
  std::vector<RowContext> rows_;
  std::vector<float> hidden_;
  std::vector<float> logits_;
};

}  // namespace flowspec
