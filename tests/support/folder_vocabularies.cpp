#include "tests/support/folder_vocabularies.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "models/tokenizer/word_patterns.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/temp_folder.hpp"

namespace flowspec::test {

using nlohmann::json;

namespace {

/// The merges that form the tokens, best score first, as in a converted tokenizer.json.
Merges merges_of(const std::vector<SentencePieceSample>& pieces) {
  std::map<std::string, std::size_t> ids;
  for (std::size_t i = 0; i < pieces.size(); ++i)
    if (pieces[i].type == 1)
      ids[pieces[i].text] = i;
  std::vector<std::pair<float, std::pair<std::string, std::string>>> scored;
  for (const auto& piece : pieces) {
    for (std::size_t at = 1; piece.type == 1 && at < piece.text.size(); ++at) {
      const auto left = piece.text.substr(0, at);
      const auto right = piece.text.substr(at);
      if (ids.contains(left) && ids.contains(right))
        scored.push_back({piece.score, {left, right}});
    }
  }
  std::ranges::stable_sort(scored, [](const auto& a, const auto& b) { return a.first > b.first; });
  Merges merges;
  for (const auto& [score, merge] : scored)
    merges.push_back(merge);
  return merges;
}

}  // namespace

const ByteVocabulary words{
    .merges = {{"l", "l"}, {"h", "e"}, {"he", "ll"}, {"hell", "o"}, {" ", "h"}, {"1", "2"}},
    .more = {"hola"},
    .control = {"<s>", "<|im_end|>"},
    .user_defined = {"<tool>"}};

const json llama_config{{"bos_token", {{"content", "<s>"}, {"lstrip", false}}},
                        {"eos_token", "</s>"},
                        {"add_bos_token", true}};

Tokenizer open(const std::map<std::string, json>& files) {
  const TempFolder folder;
  for (const auto& [name, content] : files)
    write_json(folder / name, content);
  return Tokenizer::from_folder(folder.path());
}

Tokenizer open_json(const json& content) {
  return open({{"tokenizer.json", content}});
}

Tokenizer open_model(const std::string& bytes, const std::map<std::string, json>& files) {
  const TempFolder folder;
  write_file(folder / "tokenizer.model", bytes);
  for (const auto& [name, content] : files)
    write_json(folder / name, content);
  return Tokenizer::from_folder(folder.path());
}

std::string pattern_of(const char* name) {
  return find_word_rules(name).value().steps.at(0).pattern;
}

std::vector<SentencePieceSample> pieces() {
  std::vector<SentencePieceSample> made{{"<unk>", 0, 2}, {"<s>", 0, 3}, {"</s>", 0, 3}};
  for (int byte = 0; byte < 256; ++byte) {
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "<0x%02X>", byte);
    made.push_back({text.data(), 0, 6});
  }
  float score = -1;
  for (const std::string& text : {mark + "a", mark + "ab", std::string("bc"), mark + mark, mark,
                                  std::string("a"), std::string("b"), std::string("c")}) {
    made.push_back({text, score, 1});
    score -= 1;
  }
  return made;
}

json metaspace_json(const std::vector<SentencePieceSample>& pieces) {
  std::vector<std::string> texts;
  json added = json::array();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    texts.push_back(pieces[i].text);
    if (pieces[i].type == 2 || pieces[i].type == 3)
      added.push_back(added_token(i, pieces[i].text, true));
  }
  json made = bpe_json(texts, merges_of(pieces));
  made["added_tokens"] = added;
  made["model"]["byte_fallback"] = true;
  made["model"]["unk_token"] = "<unk>";
  add_sentencepiece_steps(made);
  return made;
}

void check_error(const std::function<void()>& call, const std::string& text) {
  check_throws<ModelError>(call, {text, "/tokenizer"});
}

}  // namespace flowspec::test
