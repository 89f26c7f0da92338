#include "runtime/verify/plain_decoder.hpp"

#include <algorithm>
#include <numeric>

#include "models/sampling/text_sampler.hpp"
#include "runtime/console/error.hpp"

namespace flowspec {

PlainDecoder::PlainDecoder(const LanguageModel& model, unsigned threads, std::uint32_t length,
                           KvType kv_type, LinearForm form, HiddenType hidden_type)
    : tokenizer_(model.tokenizer),
      layers_(*model.files, model.config,
              {{0, model.config.layers}, threads, 1, kv_type, form, hidden_type}),
      head_(*model.files, model.config, threads, 1, form),
      cache_(layers_.make_cache(length)),
      slots_(length),
      hidden_(model.config.hidden_size),
      logits_(model.config.vocab_size) {
  std::iota(slots_.begin(), slots_.end(), Slot{0});
}

std::vector<Token> PlainDecoder::decode(std::span<const Token> prompt, std::uint32_t count,
                                        const SamplerOptions& sampling) {
  std::vector<Token> text(prompt.begin(), prompt.end());
  TextSampler sampler(sampling, static_cast<Position>(prompt.size()));
  while (text.size() < prompt.size() + count) {
    logits_after(text);
    sampler.follow(text);
    text.push_back(sampler.choose(logits_, {}, static_cast<Position>(text.size())).token);
    if (tokenizer_.is_end_of_text(text.back()))
      break;
  }
  return {text.begin() + static_cast<std::ptrdiff_t>(prompt.size()), text.end()};
}

std::span<const float> PlainDecoder::logits_after(std::span<const Token> tokens) {
  if (tokens.empty() || tokens.size() > slots_.size())
    throw RuntimeError(ErrorCode::internal,
                       "plain decoding: a text of a length that was not agreed");
  // The last token is always computed, since its logits are wanted.
  auto limit = std::min(cached_.size(), tokens.size() - 1);
  auto same = std::mismatch(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(limit),
                            cached_.begin());
  cached_.erase(same.second, cached_.end());
  while (cached_.size() < tokens.size()) {
    auto position = static_cast<Position>(cached_.size());
    cached_.push_back(tokens[position]);
    std::span<const Slot> slots(slots_);
    RowContext row{cache_.get(), position, slots_[position], slots.first(position),
                   slots.subspan(position, 1)};
    layers_.forward_tokens({&cached_.back(), 1}, {&row, 1}, hidden_);
  }
  head_.features(hidden_, 1, hidden_);
  head_.logits(hidden_, 1, logits_);
  return logits_;
}

}  // namespace flowspec
