#include "tests/support/plain_logits.hpp"

#include <numeric>
#include <span>

#include "models/layers/lm_head.hpp"

namespace flowspec::test {

std::vector<float> plain_logits(const ModelFiles& files, const ModelConfig& config,
                                const std::vector<Token>& text, StageOptions options) {
  options.layers = {0, config.layers};
  CpuStageModel model(files, config, options);
  LmHead head(files, config, options.threads, options.max_rows, options.form);
  const auto cache = model.make_cache(static_cast<std::uint32_t>(text.size()));
  std::vector<Slot> slots(text.size());
  std::iota(slots.begin(), slots.end(), Slot{0});
  std::vector<RowContext> rows;
  for (std::size_t p = 0; p < text.size(); ++p) {
    rows.push_back({cache.get(), static_cast<Position>(p), slots[p], std::span(slots).first(p),
                    std::span(slots).subspan(p, 1)});
  }
  std::vector<float> hidden(text.size() * config.hidden_size);
  std::vector<float> logits(text.size() * config.vocab_size);
  model.forward_tokens(text, rows, hidden);
  head.features(hidden, text.size(), hidden);
  head.logits(hidden, text.size(), logits);
  return logits;
}

}  // namespace flowspec::test
