#include "tests/support/scored_vocabulary.hpp"

#include "models/formats/gguf.hpp"
#include "tests/support/temp_folder.hpp"

namespace flowspec::test {
namespace {

const std::vector<Entry> base{{"<unk>", 0, unknown},
                              {"<s>", 0, control},
                              {"</s>", 0, control},
                              {"<0x0A>", 0, byte},
                              {"<0xC3>", 0, byte}};

}  // namespace

Tokenizer make(const std::vector<Entry>& more, const std::function<void(GgufWriter&)>& change) {
  std::vector<Entry> entries = base;
  entries.insert(entries.end(), more.begin(), more.end());
  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<std::int32_t> kinds;
  for (const Entry& entry : entries) {
    texts.push_back(entry.text);
    scores.push_back(entry.score);
    kinds.push_back(entry.kind);
  }
  GgufWriter writer;
  writer.add_string("tokenizer.ggml.model", "llama");
  writer.add_strings("tokenizer.ggml.tokens", texts);
  writer.add_floats("tokenizer.ggml.scores", scores);
  writer.add_ints("tokenizer.ggml.token_type", kinds);
  if (change)
    change(writer);
  const TempFolder folder;
  writer.write(folder / "vocab.gguf");
  return Tokenizer::from_gguf(GgufFile::open(folder / "vocab.gguf"));
}

}  // namespace flowspec::test
