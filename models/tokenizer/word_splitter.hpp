#pragma once
/// Internal to models/tokenizer.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flowspec {

/// One step of splitting: cuts every piece so far where a regular expression matches.
struct SplitStep {
  enum class Behavior {
    isolated,              ///< matches, and the text between them, are pieces
    contiguous,            ///< the same, but adjacent matches are one piece
    merged_with_previous,  ///< a match ends a piece
    merged_with_next,      ///< a match begins a piece
  };
  /// In the syntax that PCRE2 and Oniguruma (Hugging Face's tokenizers) have in common; \s is
  /// Unicode's white space.
  std::string pattern;
  Behavior behavior = Behavior::isolated;
  /// The pattern is from a file and not one of ours: it may be slow (see `WordSplitter`).
  bool is_foreign = false;
};

/// Splits text into the words within which byte-pair vocabularies merge. Nothing is lost: the words
/// together are the text, whatever its bytes. A run of bytes that are not UTF-8 is a word of its
/// own.
///
/// Our own patterns take linear time. Foreign ones see at most 8 KiB at once, cut before a space if
/// there is one; if a match takes more steps or memory than a reasonable one needs, the rest of
/// that stretch is a single word.
class WordSplitter {
 public:
  /// Throws ModelError, which does not name the file, for a pattern that PCRE2 rejects or would
  /// read differently from Oniguruma.
  explicit WordSplitter(const std::vector<SplitStep>& steps);

  /// The words are views of `text`; none is empty.
  std::vector<std::string_view> split(std::string_view text) const;

 private:
  class Step;
  std::vector<std::shared_ptr<const Step>> steps_;
};

}  // namespace flowspec
