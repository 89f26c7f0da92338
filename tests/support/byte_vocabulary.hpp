#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/support/gguf_writer.hpp"

namespace flowspec::test {

/// A byte-level BPE vocabulary. Its tokens, in this order: the 256 bytes, the results of the
/// merges, `more`, `control`, `user_defined`. All texts are bytes, except those of special tokens.
struct ByteVocabulary {
  std::vector<std::pair<std::string, std::string>> merges = {};
  std::vector<std::string> more = {};
  std::vector<std::string> control = {};
  std::vector<std::string> user_defined = {};
  /// Texts that get no token.
  std::vector<std::string> no_tokens = {};
};

/// Bytes, written as the characters that stand for them.
std::string in_byte_alphabet(const std::string& bytes);

/// All tokens, as a file writes them.
std::vector<std::string> token_texts(const ByteVocabulary& vocabulary);

void add_byte_vocabulary(GgufWriter& writer, const ByteVocabulary& vocabulary);

}  // namespace flowspec::test
