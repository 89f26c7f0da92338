#include "models/tokenizer/token_table.hpp"

#include <algorithm>
#include <array>

#include "models/error.hpp"

namespace flowspec {
namespace {

bool ends_a_turn(std::string_view text) {
  constexpr std::array<std::string_view, 9> known{
      "<|im_end|>", "<|eot_id|>",    "<|eom_id|>",           "<|end|>", "<end_of_turn>", "<EOT>",
      "<|eot|>",    "<|endoftext|>", "<|END_OF_TURN_TOKEN|>"};
  return std::ranges::find(known, text) != known.end();
}

}  // namespace

void TokenTable::set_ends(std::set<Token> more) {
  more.insert(eos);
  for (std::size_t i = 0; i < size(); ++i) {
    const bool may_end = kinds[i] == TokenKind::control || kinds[i] == TokenKind::user_defined;
    if (may_end && ends_a_turn(texts[i])) {
      more.insert(static_cast<Token>(i));
    }
  }
  more.erase(no_token);
  end_of_text.assign(more.begin(), more.end());
}

void check_vocabulary_size(const std::filesystem::path& file, std::size_t size) {
  if (size == 0 || size > std::size_t{1} << 24) {
    throw ModelError(file.string() + ": the vocabulary has " + std::to_string(size) +
                     " tokens, expected 1 to 16777216. Get the model from another source.");
  }
}

std::optional<unsigned char> parse_byte(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') {
    return std::nullopt;
  }
  int value = 0;
  for (const char c : text.substr(3, 2)) {
    const int lower = c | 0x20;
    if (c >= '0' && c <= '9') {
      value = value * 16 + (c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value * 16 + (lower - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  return static_cast<unsigned char>(value);
}

}  // namespace flowspec
