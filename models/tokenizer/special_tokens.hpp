#pragma once
/// Internal to models/tokenizer.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "models/tokenizer/tokenizer.hpp"
#include "models/tokenizer/vocabulary.hpp"

namespace flowspec {

/// A stretch of normalized text, not empty, or one special token that was found in it.
using Fragment = std::variant<std::string, Token>;

/// Cuts special tokens out of a text, as the vocabulary says: user-defined ones, and the others
/// where the options say so.
std::vector<Fragment> split_special(const Vocabulary& vocabulary, std::string_view text,
                                    const EncodeOptions& options);

}  // namespace flowspec
