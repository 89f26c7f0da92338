#include "models/tokenizer/vocabulary.hpp"

#include <algorithm>
#include <utility>

namespace flowspec {

Vocabulary::Vocabulary(TokenTable tokens, std::unique_ptr<const TextModel> text_model)
    : table(std::move(tokens)), model(std::move(text_model)) {
  for (std::size_t i = 0; i < table.size(); ++i) {
    const TokenKind kind = table.kinds[i];
    const bool is_special =
        kind == TokenKind::user_defined || kind == TokenKind::unknown || kind == TokenKind::control;
    if (is_special && !table.texts[i].empty()) {
      special.push_back(static_cast<Token>(i));
    }
  }
  std::ranges::stable_sort(
      special, [this](Token a, Token b) { return table.text(a).size() > table.text(b).size(); });
}

}  // namespace flowspec
