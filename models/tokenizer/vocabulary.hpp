#pragma once
/// The token table of a model file. Internal to models/tokenizer: others use Tokenizer.

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/types.hpp"

namespace flowspec {

class GgufFile;

inline constexpr Token no_token = -1;

/// Numbered as in tokenizer.ggml.token_type.
enum class TokenKind : std::int32_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6,
};

/// "▁", which stands for a space in token texts.
inline constexpr std::string_view space_mark = "\xe2\x96\x81";

/// Not copyable: `ids` looks into `texts`.
struct Vocabulary {
  explicit Vocabulary(const GgufFile& file);
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;

  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<TokenKind> kinds;
  /// The tokens that text can be merged to: as in SentencePiece no control, unknown or byte tokens,
  /// so that nobody writes "</s>" into a prompt and ends it.
  std::unordered_map<std::string_view, Token> ids;
  /// The token of every byte; `unknown` where the file has none.
  std::array<Token, 256> byte_tokens{};
  /// The byte of a byte token, by token; only valid where `kinds` says byte.
  std::vector<unsigned char> bytes;
  /// Control, unknown and user-defined tokens with a text, longest first: the order in which they
  /// are looked for.
  std::vector<Token> special;
  /// Each is a token of the vocabulary or no_token.
  Token bos = no_token;
  Token eos = no_token;
  Token unknown = no_token;
  /// Ascending; eos is one of them.
  std::vector<Token> end_of_text;
  bool add_bos = true;
  bool add_eos = false;
  bool add_space_prefix = true;

 private:
  void read_kinds(const GgufFile& file);
  void read_special_ids(const GgufFile& file);
  void build_tables();
};

}  // namespace flowspec
