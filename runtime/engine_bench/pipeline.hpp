#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "models/config/config.hpp"
#include "models/formats/model_files.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/layers/lm_head.hpp"

namespace flowspec {

/// The stages of a model and its LM head, computed one after the other on the calling thread: a
/// pipeline with one segment in flight, without actors.
class EnginePipeline {
 public:
  struct Shape {
    unsigned threads = 1;
    /// At most the number of layers.
    std::uint32_t stages = 1;
    /// Most positions of a text.
    std::uint32_t context = 0;
    KvType kv_type = KvType::f32;
    LinearForm form = LinearForm::automatic;
  };

  /// Rows of the largest segment.
  static constexpr std::uint32_t max_rows = 64;

  EnginePipeline(const ModelFiles& files, const ModelConfig& config, const Shape& shape);

  /// Computes tokens at positions first, first + 1, ...; the positions before must have been
  /// computed.
  /// @param logits  how many of the last rows get logits.
  void forward(std::uint32_t first, std::uint32_t tokens, std::uint32_t logits);
  /// Logits of the last forward: vocab_size numbers for each row that got them.
  std::span<const float> logits() const { return logits_; }

 private:
  void forward_segment(std::uint32_t first, std::uint32_t tokens);

  ModelConfig config_;
  std::vector<CpuStageModel> stages_;
  LmHead head_;
  std::vector<std::unique_ptr<KvCache>> caches_;
  std::vector<Slot> slots_;
  std::vector<Token> tokens_;
  std::vector<RowContext> rows_;
  std::vector<float> hidden_;
  std::vector<float> logits_;
};

}  // namespace flowspec
