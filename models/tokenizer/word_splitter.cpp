#include "models/tokenizer/word_splitter.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <algorithm>

#include <pcre2.h>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"
#include "models/tokenizer/utf8.hpp"

namespace flowspec {
namespace {

using Words = std::vector<std::string_view>;

constexpr std::size_t longest_pattern = 16384;
constexpr std::size_t longest_foreign_stretch = 8192;
constexpr std::uint32_t most_match_steps = 1'000'000;
constexpr std::uint32_t most_match_kib = 65536;

template <auto function>
struct Free {
  template <class T>
  void operator()(T* object) const {
    function(object);
  }
};
using Code = std::unique_ptr<pcre2_code, Free<pcre2_code_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Free<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Free<pcre2_match_context_free>>;

[[noreturn]] void refuse(const std::string& pattern, const std::string& why) {
  throw ModelError("the pre-tokenizer's pattern '" + printable(pattern) + "' " + why +
                   ". Get the model in another format (GGUF).");
}

/// PCRE2's \s includes U+180E, which is not white space since Unicode 6.3.
std::string with_unicode_spaces(const std::string& pattern) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (pattern[i] != '\\' || next == '\0') {
      out += pattern[i];
      continue;
    }
    ++i;
    if (next == 's' || next == 'S')
      out += next == 's' ? "\\p{WSpace}" : "\\P{WSpace}";
    else
      out += {'\\', next};
  }
  return out;
}

Code compile(const SplitStep& step) {
  if (step.pattern.empty() || step.pattern.size() > longest_pattern) {
    refuse(step.pattern, "has " + std::to_string(step.pattern.size()) + " bytes, expected 1 to " +
                             std::to_string(longest_pattern));
  }
  if (step.is_foreign && step.pattern.find("&&") != std::string::npos)
    refuse(step.pattern, "has an intersection of character classes, which is not computed");
  const std::string pattern = with_unicode_spaces(step.pattern);
  // In Oniguruma's syntax ^ and $ match at lines.
  const std::uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C |
                                (step.is_foreign ? PCRE2_MULTILINE : PCRE2_DOLLAR_ENDONLY);
  int error = 0;
  std::size_t offset = 0;
  Code code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options,
                          &error, &offset, nullptr));
  if (code == nullptr) {
    std::string text(200, '\0');
    const int length =
        pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(text.data()), text.size());
    text.resize(static_cast<std::size_t>(std::max(length, 0)));
    refuse(step.pattern, "is no regular expression that PCRE2 takes: " + text);
  }
  return code;
}

/// The length of the well-formed characters that `text` begins with, or of the ill-formed bytes.
std::size_t stretch_of_one_kind(std::string_view text) {
  const auto is_character = [](std::string_view rest) {
    return next_utf8(rest).kind == Utf8Step::Kind::character;
  };
  const bool first = is_character(text);
  std::size_t size = 0;
  while (size < text.size() && is_character(text.substr(size)) == first)
    size += next_utf8(text.substr(size)).size;
  return size;
}

/// How much of well-formed `text` a foreign pattern may see at once.
std::size_t foreign_stretch(std::string_view text) {
  if (text.size() <= longest_foreign_stretch)
    return text.size();
  for (std::size_t at = longest_foreign_stretch; at > longest_foreign_stretch / 2; --at)
    if (text[at] == ' ' && text[at - 1] != ' ')
      return at;
  std::size_t at = longest_foreign_stretch;
  while ((static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
    --at;
  return at;
}

}  // namespace

class WordSplitter::Step {
 public:
  explicit Step(const SplitStep& step)
      : code_(compile(step)), behavior_(step.behavior), is_foreign_(step.is_foreign) {}

  /// The pieces of `words`.
  Words split(const Words& words) const {
    Words pieces;
    const MatchData data(pcre2_match_data_create_from_pattern(code_.get(), nullptr));
    const MatchContext context(pcre2_match_context_create(nullptr));
    pcre2_set_match_limit(context.get(), most_match_steps);
    pcre2_set_heap_limit(context.get(), most_match_kib);
    for (std::string_view word : words) {
      while (!word.empty()) {
        std::size_t size = stretch_of_one_kind(word);
        if (next_utf8(word).kind != Utf8Step::Kind::character) {
          pieces.push_back(word.substr(0, size));
        } else {
          size = is_foreign_ ? foreign_stretch(word.substr(0, size)) : size;
          split_text(word.substr(0, size), data.get(), context.get(), pieces);
        }
        word.remove_prefix(size);
      }
    }
    return pieces;
  }

 private:
  using Behavior = SplitStep::Behavior;

  /// Appends the pieces of well-formed text.
  void split_text(std::string_view text, pcre2_match_data* data, pcre2_match_context* context,
                  Words& out) const {
    std::size_t begin = 0;  // of the piece that is not in `out` yet
    const auto cut = [&](std::size_t at) {
      if (at > begin) {
        out.push_back(text.substr(begin, at - begin));
        begin = at;
      }
    };
    std::size_t last_end = 0;
    for (std::size_t from = 0; from < text.size();) {
      const int found = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                    text.size(), from, PCRE2_NO_UTF_CHECK, data, context);
      if (found < 0)
        break;  // no further match, or none that can be found within the limits
      const std::size_t* match = pcre2_get_ovector_pointer(data);
      const std::size_t match_begin = std::max(match[0], from);
      const std::size_t match_end = match[1];
      if (match_end <= match_begin) {  // an empty match cuts nothing
        from = match_begin < text.size() ? match_begin + next_utf8(text.substr(match_begin)).size
                                         : text.size();
        continue;
      }
      if (behavior_ == Behavior::contiguous && match_begin != last_end)
        cut(last_end);
      if (behavior_ != Behavior::merged_with_previous &&
          !(behavior_ == Behavior::contiguous && match_begin == last_end))
        cut(match_begin);
      if (behavior_ == Behavior::isolated || behavior_ == Behavior::merged_with_previous)
        cut(match_end);
      last_end = match_end;
      from = match_end;
    }
    if (behavior_ == Behavior::contiguous)
      cut(last_end);
    cut(text.size());
  }

  Code code_;
  Behavior behavior_;
  bool is_foreign_;
};

WordSplitter::WordSplitter(const std::vector<SplitStep>& steps) {
  for (const SplitStep& step : steps)
    steps_.push_back(std::make_shared<const Step>(step));
}

std::vector<std::string_view> WordSplitter::split(std::string_view text) const {
  Words words;
  if (!text.empty())
    words.push_back(text);
  for (const auto& step : steps_)
    words = step->split(words);
  return words;
}

}  // namespace flowspec
