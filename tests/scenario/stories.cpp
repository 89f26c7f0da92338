#include "tests/scenario/stories.hpp"

#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "tests/support/gguf_writer.hpp"
#include "tests/support/plain_decoding.hpp"

namespace flowspec::test {

namespace {

/// The model's file, removed when the program ends.
struct ModelFile {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / fmt::format("flowspec-scenario-{}.gguf", getpid());
  LlamaShape shape{.hidden_size = 16,
                   .layers = 5,
                   .heads = 2,
                   .kv_heads = 1,
                   .ffn_size = 24,
                   .vocab_size = least_vocab_size,
                   .context_length = 256};

  ModelFile() { write_llama_gguf(path, shape, {}, 7); }
  ~ModelFile() { std::filesystem::remove(path); }
};

Story make_story(bool sampled) {
  static const ModelFile file;
  Story story;
  story.model = file.path;
  story.vocab_size = static_cast<Token>(file.shape.vocab_size);
  story.hidden_size = file.shape.hidden_size;
  for (Token i = 0; i < 19; ++i)
    story.prompt.push_back((i * 37 + 11) % story.vocab_size);
  if (sampled)
    story.sampling = {.temperature = 1, .top_k = 50, .top_p = 0.95F, .seed = 42};
  const auto& how = story.sampling;
  auto tokens = plain_decoding(file.path, story.prompt, 64,
                               {how.temperature, how.top_k, how.top_p, how.seed});
  story.text = story.prompt;
  story.text.insert(story.text.end(), tokens.begin(), tokens.end());
  return story;
}

}  // namespace

const Story& tiny_story(bool sampled) {
  static const Story greedy = make_story(false);
  static const Story at_random = make_story(true);
  return sampled ? at_random : greedy;
}

}  // namespace flowspec::test
