#pragma once
/// Internal to models/tokenizer.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "models/tokenizer/tokenizer.hpp"
#include "models/tokenizer/vocabulary.hpp"

namespace flowspec {

/// A stretch of normalized text, not empty, or one special token.
using Fragment = std::variant<std::string, Token>;

/// Splits a text at its special tokens, as the vocabulary says: always at user-defined ones, at the
/// others where the options say so.
std::vector<Fragment> split_special(const Vocabulary& vocabulary, std::string_view text,
                                    const EncodeOptions& options);

}  // namespace flowspec
