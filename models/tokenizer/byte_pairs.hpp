#pragma once
/// Internal to models/tokenizer.

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "models/tokenizer/merge_table.hpp"
#include "models/tokenizer/text_model.hpp"
#include "models/tokenizer/token_table.hpp"
#include "models/tokenizer/word_splitter.hpp"

namespace flowspec {

struct BytePairOptions {
  /// A word that is a token becomes that token, whatever the merges say (`ignore_merges`).
  bool whole_words_first = false;
  /// Puts a space before a text that does not begin with one.
  bool add_space_prefix = false;
};

/// Byte-level BPE as in GPT-2: text is split into words, and the bytes of each word are merged. A
/// byte without a token becomes the token of U+FFFD, or `unknown`.
class BytePairs : public TextModel {
 public:
  /// `merges` are pairs of token texts; pairs with a character that stands for no byte never apply.
  BytePairs(const TokenTable& table, const std::vector<std::pair<std::string, std::string>>& merges,
            WordSplitter splitter, BytePairOptions options);

  void encode(std::string_view text, TextPlace place, std::vector<Token>& out) const override;
  std::string bytes_of(std::string_view token_text) const override;
  bool adds_space() const override { return options_.add_space_prefix; }

 private:
  void append_bytes(std::string_view bytes, std::vector<Token>& out) const;

  WordSplitter splitter_;
  BytePairOptions options_;
  std::size_t token_count_;
  /// In bytes, not in the characters that stand for them.
  MergeTable merges_;
  /// The tokens for each byte that merging leaves outside any token.
  std::array<std::vector<Token>, 256> byte_tokens_;
};

}  // namespace flowspec
