#include "models/tokenizer/tokenizer.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include <xxhash.h>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/gguf.hpp"
#include "models/formats/text_file.hpp"
#include "models/tokenizer/special_tokens.hpp"
#include "models/tokenizer/vocabulary.hpp"

namespace flowspec {

Tokenizer::Tokenizer(std::shared_ptr<const Vocabulary> vocabulary)
    : vocabulary_(std::move(vocabulary)) {}

Tokenizer Tokenizer::from_gguf(const GgufFile& file) {
  return Tokenizer(std::make_shared<const Vocabulary>(read_gguf_vocabulary(file)));
}

Tokenizer Tokenizer::from_folder(const std::filesystem::path& folder) {
  if (has_entry(folder / "tokenizer.json"))
    return Tokenizer(std::make_shared<const Vocabulary>(read_json_vocabulary(folder)));
  if (has_entry(folder / "tokenizer.model"))
    return Tokenizer(std::make_shared<const Vocabulary>(read_sentencepiece_vocabulary(folder)));
  throw ModelError(
      folder.string() +
      ": is no folder with a tokenizer.json or a tokenizer.model. Name the folder of a "
      "model, or a GGUF file.");
}

std::vector<Token> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  std::vector<Token> tokens;
  if (options.add_bos.value_or(adds_bos()) && bos() != no_token)
    tokens.push_back(bos());
  TextPlace place = TextPlace::begin;
  for (const Fragment& fragment : split_special(*vocabulary_, text, options)) {
    if (const auto* token = std::get_if<Token>(&fragment)) {
      tokens.push_back(*token);
      place = TextPlace::after_special;
    } else {
      vocabulary_->model->encode(std::get<std::string>(fragment), place, tokens);
    }
  }
  if (options.add_eos.value_or(adds_eos()) && eos() != no_token)
    tokens.push_back(eos());
  return tokens;
}

std::size_t Tokenizer::least_tokens(std::size_t bytes) const {
  const TokenTable& table = vocabulary_->table;
  const auto takes_spaces = [](SearchRule rule) { return rule.takes_left || rule.takes_right; };
  if (vocabulary_->search.normalizer.removes_extra_spaces ||
      std::ranges::any_of(table.search_rules, takes_spaces))
    return 0;  // any number of spaces may belong to one token, or to none
  std::size_t longest = 1;
  for (const std::string& text : table.texts)
    longest = std::max(longest, text.size());
  // Composing makes a text at most three times shorter (Hangul syllables).
  constexpr std::size_t most_composed = 4;
  return bytes / (longest * most_composed);
}

std::string Tokenizer::piece(Token token) const {
  if (!vocabulary_->table.has(token))
    return {};
  const std::string& text = vocabulary_->table.text(token);
  switch (vocabulary_->table.kind(token)) {
    case TokenKind::unknown:
    case TokenKind::control:
    case TokenKind::unused:
      return {};
    case TokenKind::user_defined:
      return vocabulary_->search.unmarks_tokens
                 ? vocabulary_->model->bytes_of(vocabulary_->sought_text(token))
                 : vocabulary_->sought_text(token);
    case TokenKind::byte:
      return {static_cast<char>(parse_byte(text).value())};
    case TokenKind::normal:
      break;
  }
  return vocabulary_->model->bytes_of(text);
}

std::string Tokenizer::decode(std::span<const Token> tokens) const {
  std::string out;
  const TokenTable& table = vocabulary_->table;
  const Normalizer& normalizer = vocabulary_->search.normalizer;
  bool is_first = vocabulary_->model->adds_space() || normalizer.prepends_mark ||
                  normalizer.removes_extra_spaces;
  for (const Token token : tokens) {
    std::string part = piece(token);
    if (part.empty())
      continue;
    const bool is_text =
        table.kind(token) != TokenKind::user_defined ||
        (vocabulary_->search.unmarks_tokens && table.search_rule(token).in_normalized);
    if (is_first && is_text && part[0] == ' ')
      part.erase(0, 1);
    out += part;
    // A text without extra spaces has none at its beginning.
    is_first = is_first && normalizer.removes_extra_spaces && out.empty();
  }
  return out;
}

std::string Tokenizer::text(Token token) const {
  return vocabulary_->table.has(token) ? vocabulary_->table.text(token) : std::string();
}

std::size_t Tokenizer::vocab_size() const {
  return vocabulary_->table.size();
}
Token Tokenizer::bos() const {
  return vocabulary_->table.bos;
}
Token Tokenizer::eos() const {
  return vocabulary_->table.eos;
}
Token Tokenizer::unknown() const {
  return vocabulary_->table.unknown;
}
bool Tokenizer::adds_bos() const {
  return vocabulary_->table.add_bos;
}
bool Tokenizer::adds_eos() const {
  return vocabulary_->table.add_eos;
}

bool Tokenizer::is_end_of_text(Token token) const {
  return std::ranges::binary_search(vocabulary_->table.end_of_text, token);
}

bool Tokenizer::is_control(Token token) const {
  return vocabulary_->table.has(token) && vocabulary_->table.kind(token) == TokenKind::control;
}

const std::vector<std::string>& Tokenizer::warnings() const {
  return vocabulary_->table.warnings;
}

std::string Tokenizer::vocab_hash() const {
  std::string content;
  const auto add = [&content](const std::string& text) {
    content += std::to_string(text.size()) + ":" + text;  // lengths separate the texts
  };
  for (const std::string& text : vocabulary_->table.texts)
    add(text);
  add(std::to_string(bos()));
  add(std::to_string(eos()));
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(content.data(), content.size()));
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : canonical.digest)
    hex += {digits[byte >> 4], digits[byte & 15]};
  return hex;
}

std::optional<std::string> difference(const Tokenizer& a, const Tokenizer& b) {
  const std::vector<std::string>& first = a.vocabulary_->table.texts;
  const std::vector<std::string>& second = b.vocabulary_->table.texts;
  const std::size_t first_size = a.vocabulary_->table.size_without_padding();
  const std::size_t second_size = b.vocabulary_->table.size_without_padding();
  const auto [least, most] = std::minmax(first_size, second_size);
  if (most - least > largest_vocabulary_difference) {
    return "the first vocabulary has " + std::to_string(first_size) + " tokens, the second " +
           std::to_string(second_size);
  }
  const auto is_unused = [](const Tokenizer& t, std::size_t i) {
    return t.vocabulary_->table.kinds[i] == TokenKind::unused;
  };
  for (std::size_t i = 0; i < least; ++i) {
    if (first[i] != second[i] && !(is_unused(a, i) && is_unused(b, i))) {
      return "token " + std::to_string(i) + " is '" + printable(first[i]) +
             "' in the first vocabulary, '" + printable(second[i]) + "' in the second";
    }
  }
  if (a.bos() != b.bos() || a.eos() != b.eos()) {
    return "begin and end of text are tokens " + std::to_string(a.bos()) + " and " +
           std::to_string(a.eos()) + " in the first vocabulary, " + std::to_string(b.bos()) +
           " and " + std::to_string(b.eos()) + " in the second";
  }
  return std::nullopt;
}

}  // namespace flowspec
