#pragma once
/// Internal to models/tokenizer.

#include <filesystem>
#include <string>
#include <vector>

#include "models/tokenizer/token_table.hpp"

namespace flowspec {

/// The parts of a SentencePiece file (tokenizer.model) that are used here. Format:
/// sentencepiece_model.proto of https://github.com/google/sentencepiece
struct SentencePieceFile {
  struct Piece {
    std::string text;
    float score = 0;
    TokenKind kind = TokenKind::normal;
  };

  std::vector<Piece> pieces;
  /// 1: unigram, 2: BPE, 3: words, 4: characters.
  std::uint64_t model_type = 1;
  std::int32_t unknown = 0;
  std::int32_t bos = 1;
  std::int32_t eos = 2;
  bool whitespace_is_suffix = false;
  /// The normalizer's settings.
  bool has_character_map = false;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;

  /// Throws ModelError for a file that is no valid message of this format.
  static SentencePieceFile read(const std::filesystem::path& path);
};

}  // namespace flowspec
