#pragma once
/// Internal to models/tokenizer.

#include <vector>

#include "models/tokenizer/json_file.hpp"
#include "models/tokenizer/sentence_pieces.hpp"
#include "models/tokenizer/word_splitter.hpp"

namespace flowspec {

/// What `normalizer` and `pre_tokenizer` of a tokenizer.json do to a text.
struct TextRules {
  /// ByteLevel: tokens are written in the alphabet of bytes.
  bool byte_level = false;
  Normalizer normalizer = {};
  /// Spaces become "▁", by the normalizer or the pre-tokenizer.
  bool marks_spaces = false;
  /// A token may contain "▁" only at its beginning.
  bool splits_at_marks = false;
  /// Of the pre-tokenizer.
  SpacePrefix prefix{.at_begin = false, .after_special = false};
  std::vector<SplitStep> steps = {};
};

/// Throws ModelError, which names it, for anything that is not supported.
TextRules read_text_rules(const JsonFile& file);

}  // namespace flowspec
