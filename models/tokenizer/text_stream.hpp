#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/tokenizer.hpp"

namespace flowspec {

/// Turns tokens into text as they come. The text is well-formed UTF-8 and never ends inside a
/// character: bytes that may become one are held back; bytes that cannot are replaced by U+FFFD.
/// The text ends before the first stop string; text that may be the beginning of a stop string is
/// held back until that is decided.
class TextStream {
 public:
  /// Stop strings that are empty or not UTF-8 are ignored, since they can occur in no text.
  explicit TextStream(Tokenizer tokenizer, std::vector<std::string> stop_strings = {});

  /// The text that this token makes final; empty once `stopped`.
  std::string push(Token token);
  /// The rest, when no token follows.
  std::string finish();

  /// True once a stop string was found. Of several, the one that is complete first counts (the
  /// longest of those that end at the same character), however the text is split into tokens.
  bool stopped() const { return stop_.has_value(); }
  /// The stop string that was found.
  const std::optional<std::string>& stop_string() const { return stop_; }

 private:
  void decode_characters(bool is_last);
  std::string release(bool is_last);

  Tokenizer tokenizer_;
  std::vector<std::string> stop_strings_;
  std::optional<std::string> stop_;
  /// Bytes that are not yet characters.
  std::string bytes_;
  /// Characters that may still belong to a stop string.
  std::string held_;
};

}  // namespace flowspec
