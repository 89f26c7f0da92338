#pragma once
/// What every vocabulary has, whatever its kind: token texts, their kinds, and the special tokens.
/// Internal to models/tokenizer: others use Tokenizer.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "models/base/types.hpp"

namespace flowspec {

inline constexpr Token no_token = -1;

/// Numbered as in tokenizer.ggml.token_type and in SentencePiece's files.
enum class TokenKind : std::int32_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6,
};

/// How a special token is searched for in a text.
struct SearchRule {
  /// White space next to it becomes part of it.
  bool takes_left = false;
  bool takes_right = false;
  /// It is searched for in the normalized text, after all other tokens.
  bool in_normalized = false;
};

struct TokenTable {
  /// As the file writes them.
  std::vector<std::string> texts;
  /// One for each text. Where it is `byte`, `parse_byte` of the text has a value.
  std::vector<TokenKind> kinds;
  /// Empty, or one for each text.
  std::vector<SearchRule> search_rules;
  /// Each is a token of the table or no_token.
  Token bos = no_token;
  Token eos = no_token;
  Token unknown = no_token;
  /// Ascending; eos is one of them.
  std::vector<Token> end_of_text;
  bool add_bos = false;
  bool add_eos = false;
  /// Statements of the files that cannot be meant, described for people.
  std::vector<std::string> warnings = {};

  std::size_t size() const { return texts.size(); }
  /// Up to the last token that is not unused.
  std::size_t size_without_padding() const;
  bool has(Token token) const { return token >= 0 && static_cast<std::size_t>(token) < size(); }
  const std::string& text(Token token) const { return texts[static_cast<std::size_t>(token)]; }
  TokenKind kind(Token token) const { return kinds[static_cast<std::size_t>(token)]; }
  SearchRule search_rule(Token token) const {
    return search_rules.empty() ? SearchRule() : search_rules[static_cast<std::size_t>(token)];
  }

  /// Adds to `warnings` that `key` names a token, by number or by text, that does not exist.
  void warn_of_id(const std::string& key, const std::string& value);

  /// Sets `end_of_text`: eos, `more`, and tokens whose text is known to end a text or a turn of a
  /// conversation, which fine-tuned models often do not name in their metadata. These and the
  /// fill-in-the-middle tokens become control tokens, whatever kind the file says, so that they
  /// cannot be written in a message.
  void set_ends(std::set<Token> more);
};

/// Throws ModelError if no real vocabulary could have this many tokens.
void check_vocabulary_size(const std::filesystem::path& file, std::size_t size);

/// The byte that a text like "<0x0A>" stands for.
std::optional<unsigned char> parse_byte(std::string_view text);

}  // namespace flowspec
