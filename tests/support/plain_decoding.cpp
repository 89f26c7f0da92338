#include "tests/support/plain_decoding.hpp"

#include <numeric>

#include "models/config/config.hpp"
#include "models/formats/gguf.hpp"
#include "models/layers/cpu_stage_model.hpp"
#include "models/layers/lm_head.hpp"

namespace flowspec::test {

std::vector<Choice> plain_choices(const std::filesystem::path& model, std::span<const Token> prompt,
                                  std::size_t count, const SamplerOptions& sampling,
                                  HiddenType hidden_type) {
  auto file = GgufFile::open(model);
  auto config = read_config(file);
  StageOptions options{.layers = {0, config.layers}, .max_rows = 1};
  options.hidden_type = hidden_type;
  CpuStageModel stage{file, config, options};
  LmHead head{file, config, 1, 1};
  auto length = static_cast<std::uint32_t>(prompt.size() + count);
  auto cache = stage.make_cache(length);
  std::vector<Slot> slots(length);
  std::iota(slots.begin(), slots.end(), 0U);

  std::vector<Token> text(prompt.begin(), prompt.end());
  std::vector<Choice> choices;
  std::vector<float> hidden(config.hidden_size);
  std::vector<float> logits(config.vocab_size);
  for (Position position = 0; text.size() < length; ++position) {
    RowContext row{cache.get(), position, position, std::span<const Slot>(slots).first(position),
                   std::span<const Slot>(slots).subspan(position, 1)};
    stage.forward_tokens({&text[position], 1}, {&row, 1}, hidden);
    if (position + 1 < text.size())
      continue;
    head.features(hidden, 1, hidden);
    head.logits(hidden, 1, logits);
    // Nothing is kept from one token to the next.
    TextSampler sampler(sampling, static_cast<Position>(prompt.size()));
    sampler.follow(text);
    choices.push_back(sampler.choose(logits, {}, position + 1));
    text.push_back(choices.back().token);
  }
  return choices;
}

std::vector<Token> plain_decoding(const std::filesystem::path& model, std::span<const Token> prompt,
                                  std::size_t count, const SamplerOptions& sampling,
                                  HiddenType hidden_type) {
  std::vector<Token> tokens;
  for (const Choice& choice : plain_choices(model, prompt, count, sampling, hidden_type))
    tokens.push_back(choice.token);
  return tokens;
}

}  // namespace flowspec::test
