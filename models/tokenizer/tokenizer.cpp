#include "models/tokenizer/tokenizer.hpp"

#include <algorithm>
#include <list>
#include <utility>
#include <variant>

#include <xxhash.h>

#include "models/formats/error_text.hpp"
#include "models/formats/gguf.hpp"
#include "models/tokenizer/piece_merger.hpp"
#include "models/tokenizer/vocabulary.hpp"

namespace flowspec {
namespace {

/// A stretch of text, or one special token that was found in it.
using Fragment = std::variant<std::string_view, Token>;

/// Cuts every occurrence of `token` out of the texts in `fragments`.
void cut_out(std::list<Fragment>& fragments, Token token, std::string_view token_text) {
  for (auto it = fragments.begin(); it != fragments.end(); ++it) {
    const auto* found = std::get_if<std::string_view>(&*it);
    if (found == nullptr) {
      continue;
    }
    std::string_view rest = *found;
    for (std::size_t at = 0; (at = rest.find(token_text)) != std::string_view::npos;) {
      if (at != 0) {
        fragments.insert(it, rest.substr(0, at));
      }
      fragments.insert(it, token);
      rest.remove_prefix(at + token_text.size());
    }
    *it = rest;
  }
}

std::list<Fragment> split_special(const Vocabulary& vocabulary, std::string_view text,
                                  bool parse_special) {
  std::list<Fragment> fragments{text};
  for (const Token token : vocabulary.special) {
    const auto index = static_cast<std::size_t>(token);
    if (parse_special || vocabulary.kinds[index] == TokenKind::user_defined) {
      cut_out(fragments, token, vocabulary.texts[index]);
    }
  }
  return fragments;
}

std::string mark_spaces(std::string_view text, bool add_prefix) {
  std::string marked(add_prefix ? space_mark : "");
  for (const char c : text) {
    if (c == ' ') {
      marked += space_mark;
    } else {
      marked += c;
    }
  }
  return marked;
}

std::string unmark_spaces(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; (at = text.find(space_mark)) != std::string_view::npos;) {
    plain.append(text.substr(0, at));
    plain += ' ';
    text.remove_prefix(at + space_mark.size());
  }
  plain.append(text);
  return plain;
}

}  // namespace

Tokenizer::Tokenizer(std::shared_ptr<const Vocabulary> vocabulary)
    : vocabulary_(std::move(vocabulary)) {}

Tokenizer Tokenizer::from_gguf(const GgufFile& file) {
  return Tokenizer(std::make_shared<const Vocabulary>(file));
}

std::vector<Token> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  std::vector<Token> tokens;
  if (options.add_bos.value_or(adds_bos()) && bos() != no_token) {
    tokens.push_back(bos());
  }
  bool after_special = true;  // a text that begins a line of its own gets the space prefix
  for (const Fragment& fragment : split_special(*vocabulary_, text, options.parse_special)) {
    if (const auto* token = std::get_if<Token>(&fragment)) {
      tokens.push_back(*token);
      after_special = true;
    } else if (const auto part = std::get<std::string_view>(fragment); !part.empty()) {
      merge_pieces(*vocabulary_, mark_spaces(part, after_special && vocabulary_->add_space_prefix),
                   tokens);
      after_special = false;
    }
  }
  if (options.add_eos.value_or(adds_eos()) && eos() != no_token) {
    tokens.push_back(eos());
  }
  return tokens;
}

std::string Tokenizer::piece(Token token) const {
  if (token < 0 || static_cast<std::size_t>(token) >= vocab_size()) {
    return {};
  }
  const auto index = static_cast<std::size_t>(token);
  switch (vocabulary_->kinds[index]) {
    case TokenKind::unknown:
    case TokenKind::control:
      return {};
    case TokenKind::user_defined:
      return vocabulary_->texts[index];
    case TokenKind::byte:
      return {static_cast<char>(vocabulary_->bytes[index])};
    case TokenKind::normal:
    case TokenKind::unused:
      break;
  }
  return unmark_spaces(vocabulary_->texts[index]);
}

std::string Tokenizer::decode(std::span<const Token> tokens) const {
  std::string out;
  bool is_first = vocabulary_->add_space_prefix;
  for (const Token token : tokens) {
    std::string part = piece(token);
    if (part.empty()) {
      continue;
    }
    const auto index = static_cast<std::size_t>(token);
    const bool is_text = vocabulary_->kinds[index] != TokenKind::user_defined;
    if (is_first && is_text && part[0] == ' ') {
      part.erase(0, 1);
    }
    is_first = false;
    out += part;
  }
  return out;
}

std::string Tokenizer::text(Token token) const {
  const bool is_known = token >= 0 && static_cast<std::size_t>(token) < vocab_size();
  return is_known ? vocabulary_->texts[static_cast<std::size_t>(token)] : std::string();
}

std::size_t Tokenizer::vocab_size() const {
  return vocabulary_->texts.size();
}
Token Tokenizer::bos() const {
  return vocabulary_->bos;
}
Token Tokenizer::eos() const {
  return vocabulary_->eos;
}
Token Tokenizer::unknown() const {
  return vocabulary_->unknown;
}
bool Tokenizer::adds_bos() const {
  return vocabulary_->add_bos;
}
bool Tokenizer::adds_eos() const {
  return vocabulary_->add_eos;
}

bool Tokenizer::is_end_of_text(Token token) const {
  return std::ranges::binary_search(vocabulary_->end_of_text, token);
}

bool Tokenizer::is_control(Token token) const {
  return token >= 0 && static_cast<std::size_t>(token) < vocab_size() &&
         vocabulary_->kinds[static_cast<std::size_t>(token)] == TokenKind::control;
}

std::string Tokenizer::vocab_hash() const {
  std::string content;
  const auto add = [&content](const std::string& text) {
    content += std::to_string(text.size()) + ":" + text;  // lengths keep neighbours apart
  };
  for (const std::string& text : vocabulary_->texts) {
    add(text);
  }
  add(std::to_string(bos()));
  add(std::to_string(eos()));
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(content.data(), content.size()));
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : canonical.digest) {
    hex += {digits[byte >> 4], digits[byte & 15]};
  }
  return hex;
}

std::optional<std::string> difference(const Tokenizer& a, const Tokenizer& b) {
  const std::vector<std::string>& first = a.vocabulary_->texts;
  const std::vector<std::string>& second = b.vocabulary_->texts;
  if (first.size() != second.size()) {
    return "the first vocabulary has " + std::to_string(first.size()) + " tokens, the second " +
           std::to_string(second.size());
  }
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (first[i] != second[i]) {
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
