#pragma once
/// The vocabulary of a model and what reads it from files. Internal to models/tokenizer: others use
/// Tokenizer.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/tokenizer/normalizer.hpp"
#include "models/tokenizer/text_model.hpp"
#include "models/tokenizer/token_finder.hpp"
#include "models/tokenizer/token_table.hpp"

namespace flowspec {

class GgufFile;

/// How special tokens are found in a text, and what becomes of the text beside them.
struct SpecialSearch {
  enum class Order {
    /// All occurrences of the longest token first, as llama.cpp does.
    longest_first,
    /// At the first place where there is one, the longest of them; as Hugging Face's tokenizers.
    leftmost,
  };

  Order order = Order::longest_first;
  /// For the text between the tokens that are looked for in texts as they are; only with
  /// `leftmost`.
  Normalizer normalizer = {};
  /// Tokens that are looked for in normalized text are normalized for that like a text.
  bool normalizes_tokens = false;
  /// "▁" stands for a space in user-defined tokens too.
  bool unmarks_tokens = false;
};

struct Vocabulary {
  Vocabulary(TokenTable tokens, std::unique_ptr<const TextModel> text_model,
             SpecialSearch special_search = {});

  /// The text of a special token, as it is looked for.
  std::string sought_text(Token token) const;

  TokenTable table;
  std::unique_ptr<const TextModel> model;
  SpecialSearch search;
  /// Control, unknown and user-defined tokens with a text. With `longest_first`: longest first.
  std::vector<Token> special;
  /// With `leftmost`: those that are looked for in texts as they are, and in normalized ones.
  TokenFinder in_raw;
  TokenFinder in_normalized;
};

/// Each throws ModelError when the vocabulary is missing, of a kind that is not computed, or
/// contradicts itself.
Vocabulary read_gguf_vocabulary(const GgufFile& file);
/// From tokenizer.json and the files beside it.
Vocabulary read_json_vocabulary(const std::filesystem::path& folder);
/// From tokenizer.model (SentencePiece) and the files beside it.
Vocabulary read_sentencepiece_vocabulary(const std::filesystem::path& folder);

}  // namespace flowspec
