#pragma once

#include <string_view>
#include <vector>

#include "models/tokenizer/vocabulary.hpp"

namespace flowspec {

/// Appends the tokens of `text`, in which spaces are already marks, to `out`: byte-pair encoding as
/// SentencePiece does it. Beginning with single characters, the two neighbours whose joined text is
/// the token with the highest score become one (of equal scores the leftmost pair), until no two
/// neighbours make a token. Characters that are no token become byte tokens. O(n log n).
void merge_pieces(const Vocabulary& vocabulary, std::string_view text, std::vector<Token>& out);

}  // namespace flowspec
