#include "models/tokenizer/token_table.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"

namespace flowspec {
namespace {

// The texts in llama.cpp's list, and two more.

constexpr std::array<std::string_view, 21> ends_of_turns{"<|im_end|>",
                                                         "<|eot_id|>",
                                                         "<|eom_id|>",
                                                         "<|end|>",
                                                         "<|eot|>",
                                                         "<|endoftext|>",
                                                         "<|end_of_text|>",
                                                         "<|END_OF_TURN_TOKEN|>",
                                                         "<|return|>",
                                                         "<|call|>",
                                                         "<end_of_turn>",
                                                         "<end_of_utterance>",
                                                         "<EOT>",
                                                         "_<EOT>",
                                                         "[EOT]",
                                                         "[EOS]",
                                                         "<eos>",
                                                         "</s>",
                                                         "<｜end▁of▁sentence｜>",
                                                         "<turn|>",
                                                         "<|flush|>"};
/// Those of filling in code that are not part of it: padding, and the next file or repository.
constexpr std::array<std::string_view, 11> ends_of_files{
    "<|fim_pad|>",   "<fim-pad>",  "<fim_pad>", "<PAD>",      "[PAD]",       "<|fim_repo|>",
    "<|repo_name|>", "<fim-repo>", "<REPO>",    "<reponame>", "<|file_sep|>"};
constexpr std::array<std::string_view, 24> parts_of_files{
    "<|fim_prefix|>", "<fim-prefix>",      "<fim_prefix>",    "<｜fim▁begin｜>",
    "<PRE>",          "\xe2\x96\x81<PRE>", "<|code_prefix|>", "<|prefix|>",
    "<|fim_suffix|>", "<fim-suffix>",      "<fim_suffix>",    "<｜fim▁hole｜>",
    "<SUF>",          "\xe2\x96\x81<SUF>", "<|code_suffix|>", "<|suffix|>",
    "<|fim_middle|>", "<fim-middle>",      "<fim_middle>",    "<｜fim▁end｜>",
    "<MID>",          "\xe2\x96\x81<MID>", "<|code_middle|>", "<|middle|>"};

bool is_one_of(std::span<const std::string_view> texts, std::string_view text) {
  return std::ranges::find(texts, text) != texts.end();
}

}  // namespace

std::size_t TokenTable::size_without_padding() const {
  std::size_t used = size();
  while (used > 0 && kinds[used - 1] == TokenKind::unused)
    --used;
  return used;
}

void TokenTable::warn_of_id(const std::string& key, const std::string& value) {
  warnings.push_back(key + " is " + printable(value) + ", which is none of the vocabulary's " +
                     std::to_string(size()) + " tokens, and is not used");
}

void TokenTable::set_ends(std::set<Token> more) {
  more.insert(eos);
  // In models that end with <|return|> or <|call|>, parts of an answer end with <|end|>.
  const auto has_text = [this](std::string_view text) {
    return std::ranges::find(texts, text) != texts.end();
  };
  const bool has_parts = has_text("<|return|>") && has_text("<|call|>");
  for (std::size_t i = 0; i < size(); ++i) {
    const bool ends = is_one_of(ends_of_turns, texts[i]) || is_one_of(ends_of_files, texts[i]);
    if (ends || is_one_of(parts_of_files, texts[i]))
      kinds[i] = TokenKind::control;
    if (ends && !(has_parts && texts[i] == "<|end|>"))
      more.insert(static_cast<Token>(i));
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
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>')
    return std::nullopt;
  int value = 0;
  for (const char c : text.substr(3, 2)) {
    const int lower = c | 0x20;
    if (c >= '0' && c <= '9')
      value = value * 16 + (c - '0');
    else if (lower >= 'a' && lower <= 'f')
      value = value * 16 + (lower - 'a' + 10);
    else
      return std::nullopt;
  }
  return static_cast<unsigned char>(value);
}

}  // namespace flowspec
