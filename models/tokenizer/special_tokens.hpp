#pragma once
/// Internal to models/tokenizer.

#include <list>
#include <string_view>
#include <variant>

#include "models/tokenizer/tokenizer.hpp"
#include "models/tokenizer/vocabulary.hpp"

namespace flowspec {

/// A stretch of text, not empty, or one special token that was found in it.
using Fragment = std::variant<std::string_view, Token>;

/// Cuts special tokens out of a text, longest first: user-defined ones, and the others where the
/// options say so.
std::list<Fragment> split_special(const Vocabulary& vocabulary, std::string_view text,
                                  const EncodeOptions& options);

}  // namespace flowspec
