#pragma once

#include <span>
#include <vector>

#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/layers/lm_head.hpp"
#include "models/layers/sampler.hpp"
#include "models/layers/stage_model.hpp"
#include "models/tokenizer/tokenizer.hpp"
#include "runtime/run/engine.hpp"

namespace flowspec {

/// Plain decoding: all layers in one place, one token after the other, no actors, no drafts. It is
/// what everything else is compared with.
class PlainDecoder {
 public:
  /// Texts may have `length` tokens, prompt included. Throws ModelError.
  PlainDecoder(const LanguageModel& model, unsigned threads, std::uint32_t length, KvType kv_type,
               LinearForm form = LinearForm::automatic);

  /// Goes on with the prompt: `count` tokens, or less where the text ends.
  std::vector<Token> decode(std::span<const Token> prompt, std::uint32_t count,
                            const SamplerOptions& sampling);

  /// What the model says after these tokens, one at least. Valid until the next call.
  std::span<const float> logits_after(std::span<const Token> tokens);

 private:
  const Tokenizer tokenizer_;
  StageModel layers_;
  LmHead head_;
  KvCache cache_;
  /// Slot i holds position i.
  std::vector<Slot> slots_;
  /// The tokens whose keys and values are in the cache.
  std::vector<Token> cached_;
  std::vector<float> hidden_;
  std::vector<float> logits_;
};

}  // namespace flowspec
