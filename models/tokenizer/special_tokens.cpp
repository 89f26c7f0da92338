#include "models/tokenizer/special_tokens.hpp"

#include <algorithm>

#include "models/tokenizer/white_space.hpp"

namespace flowspec {
namespace {

/// Cuts every occurrence of `token` that `allowed` takes out of the texts in `fragments`.
template <class Allowed>
void cut_out(std::list<Fragment>& fragments, Token token, std::string_view token_text,
             SpaceRule rule, const Allowed& allowed) {
  for (auto it = fragments.begin(); it != fragments.end();) {
    const auto* found = std::get_if<std::string_view>(&*it);
    if (found == nullptr) {
      ++it;
      continue;
    }
    std::string_view rest = *found;
    for (std::size_t at = 0; (at = rest.find(token_text, at)) != std::string_view::npos;) {
      if (!allowed(rest.substr(at, token_text.size()))) {
        ++at;
        continue;
      }
      std::string_view before = rest.substr(0, at);
      rest.remove_prefix(at + token_text.size());
      at = 0;
      if (rule.takes_left) {
        before = without_trailing_space(before);
      }
      if (rule.takes_right) {
        rest = without_leading_space(rest);
      }
      if (!before.empty()) {
        fragments.insert(it, before);
      }
      fragments.insert(it, token);
    }
    *it = rest;
    it = rest.empty() ? fragments.erase(it) : std::next(it);
  }
}

}  // namespace

std::list<Fragment> split_special(const Vocabulary& vocabulary, std::string_view text,
                                  const EncodeOptions& options) {
  std::list<Fragment> fragments;
  if (!text.empty()) {
    fragments.emplace_back(text);
  }
  const TokenTable& table = vocabulary.table;
  const auto is_outside = [&](std::string_view found) {
    const auto begin = static_cast<std::size_t>(found.data() - text.data());
    const auto end = begin + found.size();
    return std::ranges::none_of(options.literal, [&](const TextRange& range) {
      return begin < range.end && range.begin < end;
    });
  };
  const auto is_anywhere = [](std::string_view /*found*/) { return true; };
  for (const Token token : vocabulary.special) {
    const bool is_user_defined = table.kind(token) == TokenKind::user_defined;
    if (options.parse_special || is_user_defined) {
      const auto index = static_cast<std::size_t>(token);
      const SpaceRule rule = table.space_rules.empty() ? SpaceRule() : table.space_rules[index];
      if (is_user_defined) {
        cut_out(fragments, token, table.text(token), rule, is_anywhere);
      } else {
        cut_out(fragments, token, table.text(token), rule, is_outside);
      }
    }
  }
  return fragments;
}

}  // namespace flowspec
