#include "models/tokenizer/byte_pairs.hpp"

#include "models/tokenizer/byte_alphabet.hpp"
#include "models/tokenizer/utf8.hpp"

namespace flowspec {

BytePairs::BytePairs(const TokenTable& table,
                     const std::vector<std::pair<std::string, std::string>>& merges,
                     WordSplitter splitter, BytePairOptions options)
    : splitter_(std::move(splitter)),
      options_(options),
      token_count_(table.size()),
      merges_(table.size()) {
  // User-defined tokens are not written in the byte alphabet. If reading one as such gives other
  // bytes, merging must not lead to it.
  for (std::size_t i = 0; i < table.size(); ++i) {
    const std::string& text = table.texts[i];
    const TokenKind kind = table.kinds[i];
    const bool is_text = kind == TokenKind::normal || kind == TokenKind::unused;
    if (!is_text && kind != TokenKind::user_defined)
      continue;
    auto bytes = bytes_of_characters(text);
    if (bytes && !bytes->empty() && (is_text || *bytes == text))
      merges_.add_token(std::move(*bytes), static_cast<Token>(i));
  }
  for (const auto& [left, right] : merges) {
    const auto left_bytes = bytes_of_characters(left);
    const auto right_bytes = bytes_of_characters(right);
    if (left_bytes && right_bytes)
      merges_.add_merge(*left_bytes, *right_bytes);
  }
  std::vector<Token> replacement;
  for (const char c : replacement_character) {
    const Token token = merges_.find({&c, 1});
    if (table.has(token))
      replacement.push_back(token);
  }
  if (replacement.size() != replacement_character.size())
    replacement.assign(table.unknown == no_token ? 0 : 1, table.unknown);
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const Token token = merges_.find({&c, 1});
    byte_tokens_[byte] = table.has(token) ? std::vector{token} : replacement;
  }
}

void BytePairs::append_bytes(std::string_view bytes, std::vector<Token>& out) const {
  for (const char c : bytes) {
    const auto& tokens = byte_tokens_[static_cast<unsigned char>(c)];
    out.insert(out.end(), tokens.begin(), tokens.end());
  }
}

void BytePairs::encode(std::string_view text, TextPlace /*place*/, std::vector<Token>& out) const {
  std::string changed;
  if (options_.add_space_prefix && !text.starts_with(' ')) {
    changed = std::string(1, ' ').append(text);
    text = changed;
  }
  const auto is_token = [this](std::int32_t id) {
    return id >= 0 && static_cast<std::size_t>(id) < token_count_;
  };
  Merger merger([this](const Symbol& a, const Symbol& b) { return merges_.find_merge(a, b); });
  for (const std::string_view word : splitter_.split(text)) {
    if (options_.whole_words_first) {
      if (const std::int32_t id = merges_.find(word); is_token(id)) {
        out.push_back(id);
        continue;
      }
    }
    merger.clear();
    for (std::size_t i = 0; i < word.size(); ++i)
      merger.add(word.substr(i, 1), merges_.find(word.substr(i, 1)));
    merger.run();
    merger.for_each([&](const Symbol& symbol) {
      if (is_token(symbol.id))
        out.push_back(symbol.id);
      else
        append_bytes(symbol.text, out);
    });
  }
}

std::string BytePairs::bytes_of(std::string_view token_text) const {
  // A token with other characters stands for its own text.
  return bytes_of_characters(token_text).value_or(std::string(token_text));
}

}  // namespace flowspec
