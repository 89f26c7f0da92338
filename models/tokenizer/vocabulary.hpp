#pragma once
/// The vocabulary of a model, and the functions that read it from files. Internal to
/// models/tokenizer: others use Tokenizer.

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

/// How special tokens are found in a text, and how the text around them is normalized.
struct SpecialSearch {
  enum class Order {
    /// All occurrences of the longest token first, as llama.cpp does.
    longest_first,
    /// The longest token at the first place that has one, as Hugging Face's tokenizers do.
    leftmost,
  };

  Order order = Order::longest_first;
  /// For the text between the tokens that were found in the raw text; only with `leftmost`.
  Normalizer normalizer = {};
  /// Tokens that are searched for in normalized text are themselves normalized first.
  bool normalizes_tokens = false;
  /// "▁" stands for a space in user-defined tokens too.
  bool unmarks_tokens = false;
};

struct Vocabulary {
  Vocabulary(TokenTable tokens, std::unique_ptr<const TextModel> text_model,
             SpecialSearch special_search = {});

  /// The text that is searched for to find a special token.
  std::string sought_text(Token token) const;

  TokenTable table;
  std::unique_ptr<const TextModel> model;
  SpecialSearch search;
  /// Control, unknown and user-defined tokens with a text. With `longest_first`: longest first.
  std::vector<Token> special;
  /// With `leftmost`: tokens that are searched for in raw text, and in normalized text.
  TokenFinder in_raw;
  TokenFinder in_normalized;
};

/// Each throws ModelError when the vocabulary is missing, of an unsupported kind, or contradicts
/// itself.
Vocabulary read_gguf_vocabulary(const GgufFile& file);
/// From tokenizer.json and the files beside it.
Vocabulary read_json_vocabulary(const std::filesystem::path& folder);
/// From tokenizer.model (SentencePiece) and the files beside it.
Vocabulary read_sentencepiece_vocabulary(const std::filesystem::path& folder);

}  // namespace flowspec
