#pragma once

#include <span>
#include <vector>

#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/layers/lm_head.hpp"
#include "models/sampling/filters.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "runtime/run/engine.hpp"

namespace flowspec {

/// Plain decoding: all layers in one place, one token after the other, no actors, no drafts. The
/// reference for everything else.
class PlainDecoder {
 public:
  /// `length`: most tokens of a text, prompt included. Throws ModelError.
  PlainDecoder(const LanguageModel& model, unsigned threads, std::uint32_t length, KvType kv_type,
               LinearForm form = LinearForm::automatic, HiddenType hidden_type = HiddenType::f32);

  /// Continues the prompt by `count` tokens, or fewer if the text ends.
  std::vector<Token> decode(std::span<const Token> prompt, std::uint32_t count,
                            const SamplerOptions& sampling);

  /// The model's logits after these tokens, at least one. Valid until the next call.
  std::span<const float> logits_after(std::span<const Token> tokens);

 private:
  const Tokenizer tokenizer_;
  CpuStageModel layers_;
  LmHead head_;
  std::unique_ptr<KvCache> cache_;
  /// Slot i holds position i.
  std::vector<Slot> slots_;
  /// The tokens whose keys and values are in the cache.
  std::vector<Token> cached_;
  std::vector<float> hidden_;
  std::vector<float> logits_;
};

}  // namespace flowspec
