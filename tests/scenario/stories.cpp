#include "tests/scenario/stories.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <unistd.h>

#include "actors/support/sampler_options.hpp"
#include "models/config/config.hpp"
#include "models/drafts/eagle_head.hpp"
#include "models/formats/gguf.hpp"
#include "models/layers/lm_head.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/plain_decoding.hpp"

namespace flowspec::test {

namespace {

/// The model's file, removed when the program ends.
struct ModelFile {
  std::filesystem::path path;
  LlamaShape shape{.hidden_size = 16,
                   .layers = 5,
                   .heads = 2,
                   .kv_heads = 1,
                   .ffn_size = 24,
                   .vocab_size = least_vocab_size,
                   .context_length = 256};

  explicit ModelFile(std::uint32_t eos_token) : path(path_for(eos_token)) {
    shape.eos_token = eos_token;
    write_llama_gguf(path, shape, {}, 7);
  }
  ~ModelFile() { std::filesystem::remove(path); }
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;

  static std::filesystem::path path_for(std::uint32_t eos_token) {
    return std::filesystem::temp_directory_path() /
           fmt::format("flowspec-scenario-{}-{}.gguf", getpid(), eos_token);
  }
};

constexpr Token usual_prompt = 19;
constexpr Token long_prompt = 180;

void penalise(SamplingParams& sampling) {
  sampling.repetition_penalty = 1.2F;
  sampling.frequency_penalty = 0.1F;
  sampling.presence_penalty = 0.05F;
  sampling.logit_bias = {{40, 0.5F}, {41, -2}};
  sampling.logprobs = 4;
}

/// Writes what follows the prompt.
void continue_story(Story& story) {
  story.text = story.prompt;
  for (const Choice& choice :
       plain_choices(story.model, story.prompt, story.length, sampler_options(story.sampling))) {
    story.text.push_back(choice.token);
    if (story.sampling.logprobs > 0)
      story.logprobs.push_back(token_logprob(choice));
  }
}

Story make_story(const ModelFile& file, bool sampled, Token prompt_tokens = usual_prompt,
                 bool penalised = false) {
  Story story;
  story.model = file.path;
  story.vocab_size = static_cast<Token>(file.shape.vocab_size);
  story.hidden_size = file.shape.hidden_size;
  for (Token i = 0; i < prompt_tokens; ++i)
    story.prompt.push_back((i * 37 + 11) % story.vocab_size);
  if (sampled)
    story.sampling = {.temperature = 1, .top_k = 50, .top_p = 0.95F, .seed = 42};
  if (penalised)
    penalise(story.sampling);
  continue_story(story);
  return story;
}

/// The same text with a token that ends it. No weight depends on which token that is.
struct Ending {
  Story story;
  std::unique_ptr<ModelFile> file;

  explicit Ending(const Story& endless) : story(endless) {
    constexpr std::ptrdiff_t least = 9;
    auto begin = story.text.begin() + static_cast<std::ptrdiff_t>(story.prompt.size());
    auto end = begin + least;
    while (std::find(begin, end, *end) != end)
      ++end;
    file = std::make_unique<ModelFile>(static_cast<std::uint32_t>(*end));
    story.model = file->path;
    story.length = static_cast<std::uint32_t>(end - begin) + 1;
  }
};

const std::filesystem::path embedded = source_path("models/embedded");

Story make_embedded_story(bool sampled, bool penalised = false) {
  const auto path = embedded / "target.gguf";
  const auto config = read_config(GgufFile::open(path));
  Story story;
  story.model = path;
  story.vocab_size = static_cast<Token>(config.vocab_size);
  story.hidden_size = config.hidden_size;
  story.prompt = {1};
  if (sampled)
    story.sampling = {.temperature = 1, .seed = 42, .min_p = 0.01F};
  if (penalised)
    penalise(story.sampling);
  continue_story(story);
  return story;
}

const ModelFile& endless_file() {
  static const ModelFile file(2);
  return file;
}

}  // namespace

const Story& tiny_story(bool sampled) {
  static const Story greedy = make_story(endless_file(), false);
  static const Story at_random = make_story(endless_file(), true);
  return sampled ? at_random : greedy;
}

const Story& long_story(bool sampled) {
  static const Story greedy = make_story(endless_file(), false, long_prompt);
  static const Story at_random = make_story(endless_file(), true, long_prompt);
  return sampled ? at_random : greedy;
}

const Story& penalised_story(bool sampled) {
  static const Story greedy = make_story(endless_file(), false, usual_prompt, true);
  static const Story at_random = make_story(endless_file(), true, usual_prompt, true);
  return sampled ? at_random : greedy;
}

const Story& penalised_embedded_story(bool sampled) {
  static const Story greedy = make_embedded_story(false, true);
  static const Story at_random = make_embedded_story(true, true);
  return sampled ? at_random : greedy;
}

const Story& embedded_story(bool sampled) {
  static const Story greedy = make_embedded_story(false);
  static const Story at_random = make_embedded_story(true);
  return sampled ? at_random : greedy;
}

std::unique_ptr<DraftModel> embedded_head() {
  static const auto file = GgufFile::open(embedded / "target.gguf");
  static const auto config = read_config(file);
  constexpr std::uint32_t rows = 16;
  return std::make_unique<EagleHead>(embedded / "eagle", LmHead(file, config, 1, rows), 1, rows);
}

const Story& ending_story(bool sampled) {
  static const Ending greedy(tiny_story(false));
  static const Ending at_random(tiny_story(true));
  return sampled ? at_random.story : greedy.story;
}

}  // namespace flowspec::test
