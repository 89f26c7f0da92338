#include "models/tokenizer/sentence_pieces.hpp"

#include <utility>

#include "models/tokenizer/utf8.hpp"

namespace flowspec {

SentencePieces::SentencePieces(const TokenTable& table, SpacePrefix prefix)
    : prefix_(prefix), token_count_(table.size()) {
  byte_tokens_.fill(table.unknown);
  ids_.reserve(table.size());
  for (std::size_t i = 0; i < table.size(); ++i) {
    const auto token = static_cast<Token>(i);
    const std::string& text = table.texts[i];
    switch (table.kinds[i]) {
      case TokenKind::byte:
        byte_tokens_[parse_byte(text).value()] = token;
        break;
      case TokenKind::normal:
      case TokenKind::unused:
      case TokenKind::user_defined:
        ids_[text] = token;  // if texts are equal the last token counts
        break;
      case TokenKind::unknown:
      case TokenKind::control:
        break;
    }
  }
}

SentencePieces::SentencePieces(const TokenTable& table, std::vector<float> scores,
                               SpacePrefix prefix)
    : SentencePieces(table, prefix) {
  scores_ = std::move(scores);
}

SentencePieces::SentencePieces(const TokenTable& table,
                               const std::vector<std::pair<std::string, std::string>>& merges,
                               SpacePrefix prefix)
    : SentencePieces(table, prefix) {
  merges_.emplace(table.size());
  for (const auto& [text, token] : ids_)
    merges_->add_token(std::string(text), token);
  for (const auto& [left, right] : merges)
    merges_->add_merge(left, right);
}

Token SentencePieces::find(std::string_view text) const {
  if (merges_)
    return merges_->find(text);
  const auto it = ids_.find(text);
  return it == ids_.end() ? no_token : it->second;
}

std::optional<Merge> SentencePieces::find_merge(const Symbol& left, const Symbol& right) const {
  if (merges_)
    return merges_->find_merge(left, right);
  // Neighbours are contiguous in the text.
  const Token token = find({left.text.data(), left.text.size() + right.text.size()});
  if (token == no_token)
    return std::nullopt;
  return Merge{scores_[static_cast<std::size_t>(token)], token};
}

void SentencePieces::encode(std::string_view text, TextPlace place, std::vector<Token>& out) const {
  std::string marked = mark_spaces(text);
  const bool wants_prefix = place == TextPlace::begin ? prefix_.at_begin : prefix_.after_special;
  if (wants_prefix && !(prefix_.only_if_missing && marked.starts_with(space_mark)))
    marked.insert(0, space_mark);
  Merger merger([this](const Symbol& a, const Symbol& b) { return find_merge(a, b); });
  for (std::string_view rest = marked; !rest.empty();) {
    const Utf8Step step = next_utf8(rest);
    // Each ill-formed byte is a symbol of its own.
    const std::size_t size = step.kind == Utf8Step::Kind::character ? step.size : 1;
    merger.add(rest.substr(0, size), find(rest.substr(0, size)));
    rest.remove_prefix(size);
  }
  merger.run();
  merger.for_each([this, &out](const Symbol& symbol) {
    if (symbol.id >= 0 && static_cast<std::size_t>(symbol.id) < token_count_) {
      out.push_back(symbol.id);
      return;
    }
    for (const char c : symbol.text) {
      const Token token = byte_tokens_[static_cast<unsigned char>(c)];
      if (token != no_token)
        out.push_back(token);
    }
  });
}

std::string SentencePieces::bytes_of(std::string_view token_text) const {
  std::string plain;
  for (std::size_t at = 0; (at = token_text.find(space_mark)) != std::string_view::npos;) {
    plain.append(token_text.substr(0, at));
    plain += ' ';
    token_text.remove_prefix(at + space_mark.size());
  }
  plain.append(token_text);
  return plain;
}

}  // namespace flowspec
