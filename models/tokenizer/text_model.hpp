#pragma once
/// Internal to models/tokenizer.

#include <string>
#include <string_view>
#include <vector>

#include "models/base/types.hpp"

namespace flowspec {

/// Where a stretch of text stands.
enum class TextPlace {
  begin,          ///< first in the text
  after_special,  ///< after a special token
};

/// Encodes the text between special tokens: one class for each kind of vocabulary. Objects are
/// immutable, so several threads may use one.
class TextModel {
 public:
  TextModel() = default;
  TextModel(const TextModel&) = delete;
  TextModel& operator=(const TextModel&) = delete;
  virtual ~TextModel() = default;

  /// Appends the tokens of `text`, which may be any bytes but not empty.
  virtual void encode(std::string_view text, TextPlace place, std::vector<Token>& out) const = 0;
  /// The bytes that a normal token stands for, from its text in the file.
  virtual std::string bytes_of(std::string_view token_text) const = 0;
  /// Whether `encode` may put a space before a text, which decoding must remove.
  virtual bool adds_space() const = 0;
};

}  // namespace flowspec
