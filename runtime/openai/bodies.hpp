#pragma once
/// Bodies of the answers of the small endpoints.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "messages/types.hpp"

namespace flowspec::openai {

/// A model that is served.
struct ServedModel {
  std::string name;
  /// Seconds since 1970.
  std::int64_t created = 0;
  /// Tokens of prompt and answer together.
  std::uint64_t context = 0;
};
/// GET /v1/models.
std::string models_body(std::span<const ServedModel> models);
/// GET /v1/models/NAME. Throws ApiError, 404, if there is none of that name.
std::string model_body(std::span<const ServedModel> models, std::string_view name);

/// A token as /tokenize shows it.
struct TokenPiece {
  Token token = 0;
  /// What it stands for; may be a part of a character.
  std::string bytes;
};
/// POST /tokenize: {"count","max_model_len","tokens"}, and with pieces "token_strs" and "pieces", which has
/// id, text and bytes of each.
std::string tokenize_body(std::span<const TokenPiece> tokens, std::uint64_t context,
                          bool with_pieces);
/// POST /detokenize: vLLM's clients read "prompt", llama.cpp's "content".
/// @param text  what is not UTF-8 becomes U+FFFD.
std::string detokenize_body(std::string_view text);
/// POST /apply-template.
std::string apply_template_body(std::string_view prompt);

enum class Health : std::uint8_t {
  loading,  ///< not yet
  ready,
  degraded,  ///< answers, but with less than it was meant to have
};
/// GET /health: 503 while it is loading, else 200.
int health_status(Health health);
/// {"status":"degraded","detail":"..."}
/// @param detail  for people; may be empty.
std::string health_body(Health health, std::string_view detail);

}  // namespace flowspec::openai
