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
  /// A word that is a token becomes that, whatever the merges say.
  bool whole_words_first = false;
  /// A text that does not begin with a space gets one.
  bool add_space_prefix = false;
};

/// Byte-level byte-pair encoding, as of GPT-2: text is split into words, and in each the bytes are
/// merged. A byte that has no token becomes that of U+FFFD, or `unknown`.
class BytePairs : public TextModel {
 public:
  /// `merges` are pairs of token texts; those that contain what stands for no byte never apply.
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
  /// By bytes, not by the characters that stand for them.
  MergeTable merges_;
  /// What each byte becomes where nothing merges it.
  std::array<std::vector<Token>, 256> byte_tokens_;
};

}  // namespace flowspec
