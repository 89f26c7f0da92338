#pragma once
/// Internal to models/tokenizer.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/word_splitter.hpp"

namespace flowspec {

/// How the vocabularies of one family of models split text into words.
struct WordRules {
  std::vector<SplitStep> steps;
  /// A word that is a token becomes that token, whatever the merges say.
  bool whole_words_first = false;
  /// The model wants BOS if the file does not say.
  bool add_bos = false;
};

/// The rules for a GGUF file's `tokenizer.ggml.pre`; nothing for an unknown name.
std::optional<WordRules> find_word_rules(std::string_view name);

/// All names, for messages: "command-r, deepseek-coder, ...".
std::string word_rule_names();

/// Whether the pattern is one of ours, and so takes linear time.
bool is_own_pattern(std::string_view pattern);

/// GPT-2's pattern, which the pre-tokenizer "ByteLevel" of tokenizer.json also uses.
extern const std::string_view gpt2_words;

}  // namespace flowspec
