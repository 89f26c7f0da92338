#include "models/tokenizer/special_tokens.hpp"

namespace flowspec {
namespace {

constexpr std::string_view spaces = " \t\n\v\f\r";

/// Cuts every occurrence of `token` out of the texts in `fragments`.
void cut_out(std::list<Fragment>& fragments, Token token, std::string_view token_text,
             SpaceRule rule) {
  for (auto it = fragments.begin(); it != fragments.end();) {
    const auto* found = std::get_if<std::string_view>(&*it);
    if (found == nullptr) {
      ++it;
      continue;
    }
    std::string_view rest = *found;
    for (std::size_t at = 0; (at = rest.find(token_text)) != std::string_view::npos;) {
      std::string_view before = rest.substr(0, at);
      rest.remove_prefix(at + token_text.size());
      if (rule.takes_left) {
        before = before.substr(0, before.find_last_not_of(spaces) + 1);
      }
      if (rule.takes_right) {
        rest.remove_prefix(std::min(rest.find_first_not_of(spaces), rest.size()));
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
                                  bool parse_special) {
  std::list<Fragment> fragments;
  if (!text.empty()) {
    fragments.emplace_back(text);
  }
  const TokenTable& table = vocabulary.table;
  for (const Token token : vocabulary.special) {
    if (parse_special || table.kind(token) == TokenKind::user_defined) {
      const auto index = static_cast<std::size_t>(token);
      const SpaceRule rule = table.space_rules.empty() ? SpaceRule() : table.space_rules[index];
      cut_out(fragments, token, table.text(token), rule);
    }
  }
  return fragments;
}

}  // namespace flowspec
