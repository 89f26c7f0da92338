#include "models/tokenizer/vocabulary.hpp"

#include <algorithm>
#include <utility>

namespace flowspec {

Vocabulary::Vocabulary(TokenTable tokens, std::unique_ptr<const TextModel> text_model,
                       SpecialSearch special_search)
    : table(std::move(tokens)), model(std::move(text_model)), search(special_search) {
  std::vector<TokenFinder::Entry> raw;
  std::vector<TokenFinder::Entry> normalized;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const auto token = static_cast<Token>(i);
    const TokenKind kind = table.kinds[i];
    const bool is_special =
        kind == TokenKind::user_defined || kind == TokenKind::unknown || kind == TokenKind::control;
    if (!is_special || table.texts[i].empty())
      continue;
    special.push_back(token);
    auto& entries = table.search_rule(token).in_normalized ? normalized : raw;
    if (std::string sought = sought_text(token); !sought.empty())
      entries.push_back({std::move(sought), token});
  }
  if (search.order == SpecialSearch::Order::leftmost) {
    in_raw = TokenFinder(std::move(raw));
    in_normalized = TokenFinder(std::move(normalized));
  }
  std::ranges::stable_sort(
      special, [this](Token a, Token b) { return table.text(a).size() > table.text(b).size(); });
}

std::string Vocabulary::sought_text(Token token) const {
  const bool is_normalized = search.normalizes_tokens && table.search_rule(token).in_normalized;
  return is_normalized ? search.normalizer.normalize(table.text(token)) : table.text(token);
}

}  // namespace flowspec
