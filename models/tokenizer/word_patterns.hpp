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
  /// A word that is a token becomes that, whatever the merges say.
  bool whole_words_first = false;
  /// The model wants its begin-of-text token where the file does not say.
  bool add_bos = false;
};

/// The rules that a GGUF file names by `tokenizer.ggml.pre`; nothing for a name that is not known.
std::optional<WordRules> find_word_rules(std::string_view name);

/// All names, for messages: "command-r, deepseek-coder, ...".
std::string word_rule_names();

/// Whether a pattern is that of one of the families, and so takes linear time.
bool is_own_pattern(std::string_view pattern);

/// GPT-2's pattern, which is also that of the pre-tokenizer "ByteLevel" of tokenizer.json.
extern const std::string_view gpt2_words;

}  // namespace flowspec
