#include "models/tokenizer/special_tokens.hpp"

#include <algorithm>
#include <list>

#include "models/tokenizer/white_space.hpp"

namespace flowspec {
namespace {

using Ranges = std::vector<TextRange>;
/// A stretch of text, not empty, or a token.
using Part = std::variant<std::string_view, Token>;

bool overlap(const TextRange& a, const TextRange& b) {
  return a.begin < b.end && b.begin < a.end;
}

/// Where the white space that ends at `end` begins; at least `begin`.
std::size_t begin_of_space(std::string_view text, std::size_t begin, std::size_t end) {
  return begin >= end ? begin
                      : begin + without_trailing_space(text.substr(begin, end - begin)).size();
}

std::size_t size_of_leading_space(std::string_view text) {
  return text.size() - without_leading_space(text).size();
}

/// Searches the whole text for the longest token first.
class LongestFirst {
 public:
  LongestFirst(const Vocabulary& vocabulary, std::string_view text, const EncodeOptions& options)
      : vocabulary_(vocabulary), text_(text), options_(options) {
    parts_.emplace_back(text);
  }

  std::vector<Fragment> run() {
    for (const Token token : vocabulary_.special) {
      const bool is_user_defined = vocabulary_.table.kind(token) == TokenKind::user_defined;
      if (options_.parse_special || is_user_defined)
        cut_out(token, is_user_defined);
    }
    std::vector<Fragment> fragments;
    for (const Part& part : parts_)
      if (const auto* token = std::get_if<Token>(&part))
        fragments.emplace_back(*token);
      else
        fragments.emplace_back(std::string(std::get<std::string_view>(part)));
    return fragments;
  }

 private:
  void cut_out(Token token, bool anywhere) {
    const std::string& sought = vocabulary_.table.text(token);
    for (auto it = parts_.begin(); it != parts_.end();) {
      const auto* found = std::get_if<std::string_view>(&*it);
      if (found == nullptr) {
        ++it;
        continue;
      }
      std::string_view rest = *found;
      for (std::size_t at = 0; (at = rest.find(sought, at)) != std::string_view::npos;) {
        if (!anywhere && is_literal(rest.substr(at, sought.size()))) {
          ++at;
          continue;
        }
        const std::string_view before = rest.substr(0, at);
        rest.remove_prefix(at + sought.size());
        at = 0;
        if (!before.empty())
          parts_.insert(it, before);
        parts_.insert(it, token);
      }
      *it = rest;
      it = rest.empty() ? parts_.erase(it) : std::next(it);
    }
  }

  bool is_literal(std::string_view found) const {
    const auto begin = static_cast<std::size_t>(found.data() - text_.data());
    const TextRange range{begin, begin + found.size()};
    return std::ranges::any_of(options_.literal,
                               [&](const TextRange& other) { return overlap(range, other); });
  }

  const Vocabulary& vocabulary_;
  std::string_view text_;
  const EncodeOptions& options_;
  std::list<Part> parts_;
};

/// Searches from left to right: first in the raw text, then for the other tokens in the normalized
/// text between.
class Leftmost {
 public:
  Leftmost(const Vocabulary& vocabulary, std::string_view text, const EncodeOptions& options)
      : vocabulary_(vocabulary),
        text_(text),
        options_(options),
        literal_(options.literal.begin(), options.literal.end()) {
    std::ranges::sort(literal_, {}, &TextRange::begin);
  }

  std::vector<Fragment> run() {
    std::vector<Fragment> fragments;
    for (const Part& part : split(text_, vocabulary_.in_raw, literal_))
      if (const auto* token = std::get_if<Token>(&part))
        fragments.emplace_back(*token);
      else
        split_normalized(std::get<std::string_view>(part), fragments);
    return fragments;
  }

 private:
  enum class Verdict {
    take,
    skip,    ///< It is text, and so are tokens inside it.
    ignore,  ///< It is no token here; a shorter one may be.
  };

  void split_normalized(std::string_view raw, std::vector<Fragment>& fragments) const {
    const std::string text = vocabulary_.search.normalizer.normalize(raw);
    for (const Part& part : split(text, vocabulary_.in_normalized, normalized_literal(raw)))
      if (const auto* token = std::get_if<Token>(&part))
        fragments.emplace_back(*token);
      else
        fragments.emplace_back(std::string(std::get<std::string_view>(part)));
  }

  /// The ranges of untrusted text in this part of the text after it is normalized.
  Ranges normalized_literal(std::string_view raw) const {
    Ranges ranges;
    if (vocabulary_.in_normalized.empty() || !options_.parse_special)
      return ranges;
    const Normalizer& normalizer = vocabulary_.search.normalizer;
    const auto raw_begin = static_cast<std::size_t>(raw.data() - text_.data());
    std::size_t raw_at = raw_begin;
    std::size_t at = normalizer.prepends_mark ? space_mark.size() : 0;
    const auto advance = [&](std::size_t raw_to) {
      raw_to = std::clamp(raw_to, raw_at, raw_begin + raw.size());
      at += normalizer.normalized_size(text_.substr(raw_at, raw_to - raw_at));
      raw_at = raw_to;
      return at;
    };
    for (const TextRange& range : literal_) {
      const std::size_t begin = advance(range.begin);
      const std::size_t end = advance(range.end);
      if (begin < end)
        ranges.push_back({begin, end});
    }
    return ranges;
  }

  std::vector<Part> split(std::string_view text, const TokenFinder& finder,
                          const Ranges& literal) const {
    std::vector<Part> parts;
    std::size_t text_begin = 0;
    std::size_t space_end = 0;
    std::vector<const TokenFinder::Entry*> found;
    for (std::size_t at = 0; at < text.size() && !finder.empty();) {
      finder.find(text.substr(at), found);
      const TokenFinder::Entry* entry = nullptr;
      Verdict verdict = Verdict::ignore;
      for (; verdict == Verdict::ignore && !found.empty(); found.pop_back()) {
        entry = found.back();
        verdict = judge(entry->token, {at, at + entry->text.size()}, literal);
      }
      if (verdict == Verdict::ignore) {
        ++at;
        continue;
      }
      const std::size_t found_at = at;
      at += entry->text.size();
      if (verdict == Verdict::skip)
        continue;
      const SearchRule rule = vocabulary_.table.search_rule(entry->token);
      const std::size_t begin =
          rule.takes_left ? begin_of_space(text, text_begin, found_at) : found_at;
      std::size_t end = at;
      if (rule.takes_right) {
        // White space is not scanned twice: tokens may be white space themselves.
        space_end = at < space_end ? space_end : at + size_of_leading_space(text.substr(at));
        end = space_end;
      }
      if (begin >= end)
        continue;  // white space that another token has taken already
      if (text_begin < begin)
        parts.emplace_back(text.substr(text_begin, begin - text_begin));
      parts.emplace_back(entry->token);
      text_begin = end;
    }
    if (text_begin < text.size())
      parts.emplace_back(text.substr(text_begin));
    return parts;
  }

  Verdict judge(Token token, const TextRange& range, const Ranges& literal) const {
    if (vocabulary_.table.kind(token) == TokenKind::user_defined)
      return Verdict::take;
    if (!options_.parse_special)
      return Verdict::skip;
    for (const TextRange& outside : literal) {
      if (outside.begin <= range.begin && range.end <= outside.end)
        return Verdict::skip;
      if (overlap(range, outside))
        return Verdict::ignore;
    }
    return Verdict::take;
  }

  const Vocabulary& vocabulary_;
  std::string_view text_;
  const EncodeOptions& options_;
  /// Ascending.
  Ranges literal_;
};

}  // namespace

std::vector<Fragment> split_special(const Vocabulary& vocabulary, std::string_view text,
                                    const EncodeOptions& options) {
  if (text.empty())
    return {};
  return vocabulary.search.order == SpecialSearch::Order::leftmost
             ? Leftmost(vocabulary, text, options).run()
             : LongestFirst(vocabulary, text, options).run();
}

}  // namespace flowspec
