#include "runtime/engine_bench/pipeline.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace flowspec {

EnginePipeline::EnginePipeline(const ModelFiles& files, const ModelConfig& config,
                               const Shape& shape)
    : config_(config),
      head_(files, config, shape.threads, max_rows, shape.form),
      slots_(shape.context),
      tokens_(max_rows),
      rows_(max_rows),
      hidden_(std::size_t{max_rows} * config.hidden_size),
      logits_(std::size_t{max_rows} * config.vocab_size) {
  std::iota(slots_.begin(), slots_.end(), Slot{0});
  for (std::uint32_t stage = 0; stage < shape.stages; ++stage) {
    const LayerRange layers{config.layers * stage / shape.stages,
                            config.layers * (stage + 1) / shape.stages};
    stages_.emplace_back(files, config,
                         StageOptions{layers, shape.threads, max_rows, shape.kv_type, shape.form});
    caches_.push_back(stages_.back().make_cache(shape.context));
  }
}

void EnginePipeline::forward(std::uint32_t first, std::uint32_t tokens, std::uint32_t logits) {
  assert(logits <= std::min(tokens, max_rows));
  std::uint32_t count = 0;
  for (std::uint32_t done = 0; done < tokens; done += count) {
    count = std::min(tokens - done, max_rows);
    forward_segment(first + done, count);
  }
  const auto features =
      std::span(hidden_).subspan(std::size_t{count - logits} * config_.hidden_size);
  head_.features(features, logits, features);
  head_.logits(features, logits, logits_);
}

void EnginePipeline::forward_segment(std::uint32_t first, std::uint32_t tokens) {
  for (std::uint32_t i = 0; i < tokens; ++i)
    tokens_[i] = static_cast<Token>((std::uint64_t{first + i} * 7919) % config_.vocab_size);
  for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
    const std::span slots(slots_);
    for (std::uint32_t i = 0; i < tokens; ++i)
      rows_[i] = {caches_[stage].get(), first + i, first + i, slots.first(first),
                  slots.subspan(first, i + 1)};
    const auto rows = std::span(rows_).first(tokens);
    if (stage == 0)
      stages_[stage].forward_tokens(std::span(tokens_).first(tokens), rows, hidden_);
    else
      stages_[stage].forward(hidden_, rows, hidden_);
  }
}

}  // namespace flowspec
