#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/tokenizer/tokenizer.hpp"
#include "tests/support/gguf_writer.hpp"

namespace flowspec::test {

/// The kind of a token, numbered as in GGUF files.
enum Kind : std::int32_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

/// A token of a SentencePiece-style vocabulary.
struct Entry {
  std::string text;
  float score = 0;
  std::int32_t kind = normal;
};

/// A vocabulary of <unk>, <s>, </s>, the bytes 0A and C3 (tokens 0 to 4), then `more` from token 5
/// on. `change` may add to its file.
Tokenizer make(const std::vector<Entry>& more, const std::function<void(GgufWriter&)>& change = {});

}  // namespace flowspec::test
