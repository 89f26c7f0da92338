#pragma once
/// The vocabulary of a model and what reads it from files. Internal to models/tokenizer: others use
/// Tokenizer.

#include <filesystem>
#include <memory>
#include <vector>

#include "models/tokenizer/text_model.hpp"
#include "models/tokenizer/token_table.hpp"

namespace flowspec {

class GgufFile;

struct Vocabulary {
  Vocabulary(TokenTable tokens, std::unique_ptr<const TextModel> text_model);

  TokenTable table;
  std::unique_ptr<const TextModel> model;
  /// Control, unknown and user-defined tokens with a text, longest first: the order in which they
  /// are looked for.
  std::vector<Token> special;
};

/// Each throws ModelError when the vocabulary is missing, of a kind that is not computed, or
/// contradicts itself.
Vocabulary read_gguf_vocabulary(const GgufFile& file);
/// From tokenizer.json and the files beside it.
Vocabulary read_json_vocabulary(const std::filesystem::path& folder);
/// From tokenizer.model (SentencePiece) and the files beside it.
Vocabulary read_sentencepiece_vocabulary(const std::filesystem::path& folder);

}  // namespace flowspec
