#pragma once
/// Internal to models/tokenizer.

#include <array>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/tokenizer/merge_table.hpp"
#include "models/tokenizer/normalizer.hpp"
#include "models/tokenizer/text_model.hpp"
#include "models/tokenizer/token_table.hpp"

namespace flowspec {

/// Which texts get a leading space.
struct SpacePrefix {
  bool at_begin = true;
  bool after_special = true;
  /// Not if the text already begins with a space.
  bool only_if_missing = false;
};

/// Vocabularies as SentencePiece makes them: spaces are written as "▁", merging begins with single
/// characters, and characters that are no token become byte tokens, or `unknown`.
class SentencePieces : public TextModel {
 public:
  /// The two neighbours whose joined text is the token with the highest score merge first. `scores`
  /// has one for each token. Keeps views of the texts in `table`, which must live as long.
  SentencePieces(const TokenTable& table, std::vector<float> scores, SpacePrefix prefix);
  /// Merges by a merge table, which is built from `merges`, pairs of token texts.
  SentencePieces(const TokenTable& table,
                 const std::vector<std::pair<std::string, std::string>>& merges,
                 SpacePrefix prefix);

  void encode(std::string_view text, TextPlace place, std::vector<Token>& out) const override;
  std::string bytes_of(std::string_view token_text) const override;
  bool adds_space() const override { return prefix_.at_begin; }

 private:
  SentencePieces(const TokenTable& table, SpacePrefix prefix);

  Token find(std::string_view text) const;
  std::optional<Merge> find_merge(const Symbol& left, const Symbol& right) const;

  SpacePrefix prefix_;
  std::size_t token_count_;
  /// The tokens that text can be merged into. As in SentencePiece, no control, unknown or byte
  /// tokens, so that a "</s>" written in a prompt does not end it.
  std::unordered_map<std::string_view, Token> ids_;
  /// By token; not used if there are `merges_`.
  std::vector<float> scores_;
  std::optional<MergeTable> merges_;
  /// The token of every byte; `unknown` if there is none.
  std::array<Token, 256> byte_tokens_{};
};

}  // namespace flowspec
