#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/base/types.hpp"

namespace flowspec {

class GgufFile;
struct Vocabulary;

/// Bytes [begin, end) of a text.
struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};

struct EncodeOptions {
  /// Put BOS first; default: as the model's files say, or else as usual for its kind of vocabulary.
  std::optional<bool> add_bos = std::nullopt;
  /// Put EOS last; default: as the model's files say (false if they say nothing).
  std::optional<bool> add_eos = std::nullopt;
  /// Parse the texts of control tokens ("</s>") as these tokens. Off for untrusted text.
  bool parse_special = false;
  /// With `parse_special`: ranges of untrusted text, to which it does not apply.
  std::span<const TextRange> literal = {};
};

/// Text to tokens and back, with a model's own vocabulary: SentencePiece-style or byte-level BPE.
/// Copies share one vocabulary; all functions may be called from several threads at once.
class Tokenizer {
 public:
  /// Throws ModelError when the file has no vocabulary, has one of an unsupported kind, or
  /// contradicts itself.
  static Tokenizer from_gguf(const GgufFile& file);
  /// From a Hugging Face model folder: tokenizer.json, or else tokenizer.model (SentencePiece).
  /// Special tokens also come from tokenizer_config.json, special_tokens_map.json,
  /// generation_config.json and config.json. Throws ModelError as above.
  static Tokenizer from_folder(const std::filesystem::path& folder);

  /// Accepts any bytes. Bytes that are not UTF-8, and characters that the vocabulary lacks, become
  /// byte tokens or, if it lacks these too, what it has for unknown text. User-defined tokens are
  /// recognised in every text.
  std::vector<Token> encode(std::string_view text, const EncodeOptions& options = {}) const;

  /// A lower bound on the number of tokens of any text of this many bytes. For texts that are far
  /// too long to encode.
  std::size_t least_tokens(std::size_t bytes) const;

  /// The bytes that a token stands for, which may be part of a character. Empty for control,
  /// unknown and unused tokens and for ids outside the vocabulary.
  std::string piece(Token token) const;
  /// The pieces of all tokens, without the space that `encode` puts before a text: for text without
  /// user-defined tokens, decode(encode(text)) == text. May be ill-formed UTF-8 if the tokens are.
  std::string decode(std::span<const Token> tokens) const;
  /// The token as the file writes it ("<s>", "▁the"), for messages; empty outside the vocabulary.
  std::string text(Token token) const;

  std::size_t vocab_size() const;
  /// -1 if the file has no such token.
  Token bos() const;
  Token eos() const;
  Token unknown() const;
  bool adds_bos() const;
  bool adds_eos() const;
  /// True for eos and for tokens that end a turn of a conversation.
  bool is_end_of_text(Token token) const;
  bool is_control(Token token) const;
  /// Statements of the model's files about the vocabulary that cannot be meant, described for
  /// people.
  const std::vector<std::string>& warnings() const;

  /// 32 hex digits, equal for two vocabularies with the same texts, bos and eos.
  std::string vocab_hash() const;

 private:
  friend std::optional<std::string> difference(const Tokenizer& a, const Tokenizer& b);
  explicit Tokenizer(std::shared_ptr<const Vocabulary> vocabulary);
  std::shared_ptr<const Vocabulary> vocabulary_;
};

/// By how many tokens the sizes of two compatible vocabularies may differ, as in llama.cpp.
inline constexpr std::size_t largest_vocabulary_difference = 128;

/// Nothing if tokens mean the same in both vocabularies, as a draft model's and its target's must;
/// else describes the first difference ("token 17 is 'a' in the first, 'b' in the second").
/// Compares texts, bos and eos; ignores scores, and unused tokens, which are padding. After the
/// last token of the shorter vocabulary the other may have a few more.
std::optional<std::string> difference(const Tokenizer& a, const Tokenizer& b);

}  // namespace flowspec
