#pragma once
/// Internal to models/tokenizer.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flowspec {

/// One step of splitting: where a regular expression matches, every piece that there is so far is
/// cut.
struct SplitStep {
  enum class Behavior {
    isolated,              ///< matches and what lies between them are pieces
    contiguous,            ///< the same, and neighbouring matches are one piece
    merged_with_previous,  ///< a match ends a piece
    merged_with_next,      ///< a match begins a piece
  };
  /// Syntax of PCRE2, of which Hugging Face's tokenizers (Oniguruma) use a common part; \s is what
  /// Unicode calls white space.
  std::string pattern;
  Behavior behavior = Behavior::isolated;
  /// From a file, not ours: it may be slow (see `WordSplitter`).
  bool is_foreign = false;
};

/// Splits text into the words within which byte-pair vocabularies merge. Nothing gets lost: the
/// words put together are the text, whatever its bytes. A run of bytes that are not UTF-8 is a word
/// of its own.
///
/// Takes time linear in the text for our own patterns. Foreign ones see at most 8 KiB at once, cut
/// before a space where there is one; where a match takes more steps or memory than an honest one
/// needs, the rest of that stretch is a single word.
class WordSplitter {
 public:
  /// Throws ModelError, which does not name the file, for a pattern that PCRE2 does not take or
  /// that it would read in another way than Oniguruma.
  explicit WordSplitter(const std::vector<SplitStep>& steps);

  /// The words are views of `text`; none is empty.
  std::vector<std::string_view> split(std::string_view text) const;

 private:
  class Step;
  std::vector<std::shared_ptr<const Step>> steps_;
};

}  // namespace flowspec
