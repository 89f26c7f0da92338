#pragma once
/// The tokenizer files of a model folder.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/byte_vocabulary.hpp"

namespace flowspec::test {

/// A tokenizer.json with these tokens (index = id; empty ones are left out) and merges, written in
/// the file's own alphabet, and nothing else: no normalizer, pre_tokenizer or added tokens.
nlohmann::json bpe_json(const std::vector<std::string>& tokens,
                        const std::vector<std::pair<std::string, std::string>>& merges);

/// A byte-level tokenizer.json with words split by `pattern`; control and user-defined tokens are
/// added tokens.
nlohmann::json byte_level_json(const ByteVocabulary& vocabulary, const std::string& pattern);

nlohmann::json added_token(std::size_t id, const std::string& text, bool is_special);

/// Adds the steps of Hugging Face's conversion of LLaMA 2: a normalizer that replaces every space
/// by a mark and puts one before the text, and a template that begins a text with <s>.
void add_sentencepiece_steps(nlohmann::json& tokenizer);

struct SentencePieceSample {
  std::string text;
  float score = 0;
  int type = 1;
};

/// A SentencePiece file: BPE, with spaces before words, unchanged. `more` is appended.
std::string sentencepiece_bytes(const std::vector<SentencePieceSample>& pieces,
                                const std::string& more = {});
/// Parts of such a file: a field with bytes, and a field with a number.
std::string proto_field(unsigned number, const std::string& bytes);
std::string proto_number(unsigned number, std::uint64_t value);

void write_json(const std::filesystem::path& path, const nlohmann::json& content);

}  // namespace flowspec::test
