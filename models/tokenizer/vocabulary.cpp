#include "models/tokenizer/vocabulary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "models/error.hpp"
#include "models/formats/gguf.hpp"

namespace flowspec {
namespace {

[[noreturn]] void fail(const GgufFile& file, const std::string& what) {
  throw ModelError(file.path().string() + ": " + what + ". Get the model from another source.");
}

/// The byte that a text like "<0x0A>" stands for.
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

/// Fine-tuned models end a turn with one of these, often without saying so in their metadata.
bool ends_a_turn(std::string_view text) {
  constexpr std::array<std::string_view, 7> known{"<|im_end|>",   "<|eot_id|>",    "<|eom_id|>",
                                                  "<|end|>",      "<end_of_turn>", "<EOT>",
                                                  "<|endoftext|>"};
  return std::ranges::find(known, text) != known.end();
}

}  // namespace

Vocabulary::Vocabulary(const GgufFile& file) {
  const std::string model = file.require_string("tokenizer.ggml.model");
  if (model != "llama") {
    throw ModelError(file.path().string() + ": has a tokenizer of type '" + model +
                     "', supported is: llama (SentencePiece). Use a model that has this.");
  }
  texts = file.require_strings("tokenizer.ggml.tokens");
  if (texts.empty() || texts.size() > std::size_t{1} << 24) {
    fail(file,
         "the vocabulary has " + std::to_string(texts.size()) + " tokens, expected 1 to 16777216");
  }
  scores = file.find_floats("tokenizer.ggml.scores").value_or(std::vector<float>(texts.size()));
  if (scores.size() != texts.size()) {
    fail(file, "tokenizer.ggml.scores has " + std::to_string(scores.size()) + " values for " +
                   std::to_string(texts.size()) + " tokens");
  }
  if (std::ranges::any_of(scores, [](float score) { return std::isnan(score); })) {
    fail(file, "tokenizer.ggml.scores holds values that are not numbers");
  }
  read_kinds(file);
  read_special_ids(file);
  add_bos = file.find_bool("tokenizer.ggml.add_bos_token").value_or(true) && bos != no_token;
  add_eos = file.find_bool("tokenizer.ggml.add_eos_token").value_or(false) && eos != no_token;
  add_space_prefix = file.find_bool("tokenizer.ggml.add_space_prefix").value_or(true);
  build_tables();
}

void Vocabulary::read_kinds(const GgufFile& file) {
  const auto numbers = file.find_ints("tokenizer.ggml.token_type");
  if (numbers && numbers->size() != texts.size()) {
    fail(file, "tokenizer.ggml.token_type has " + std::to_string(numbers->size()) + " values for " +
                   std::to_string(texts.size()) + " tokens");
  }
  kinds.assign(texts.size(), TokenKind::normal);
  bytes.assign(texts.size(), 0);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::int64_t number = numbers ? (*numbers)[i] : 1;
    if (number >= 1 && number <= 6) {
      kinds[i] = static_cast<TokenKind>(number);
    }
    const auto byte = parse_byte(texts[i]);
    if (byte && (!numbers || kinds[i] == TokenKind::byte)) {
      kinds[i] = TokenKind::byte;
      bytes[i] = *byte;
    } else if (kinds[i] == TokenKind::byte) {
      kinds[i] = TokenKind::normal;  // a byte without a value
    }
  }
}

void Vocabulary::read_special_ids(const GgufFile& file) {
  // Ids that are out of range are common ("none" is often written as 2^32-1); llama.cpp then uses
  // the default, and so does this.
  const auto read = [this, &file](const std::string& name, Token fallback) {
    const auto id = file.find_uint("tokenizer.ggml." + name + "_token_id");
    if (id && *id < texts.size()) {
      return static_cast<Token>(*id);
    }
    return fallback < static_cast<Token>(texts.size()) ? fallback : no_token;
  };
  unknown = read("unknown", 0);
  bos = read("bos", 1);
  eos = read("eos", 2);
  std::set<Token> ends{eos, read("eot", no_token), read("eom", no_token)};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const bool may_end = kinds[i] == TokenKind::control || kinds[i] == TokenKind::user_defined;
    if (may_end && ends_a_turn(texts[i])) {
      ends.insert(static_cast<Token>(i));
    }
  }
  ends.erase(no_token);
  end_of_text.assign(ends.begin(), ends.end());
}

void Vocabulary::build_tables() {
  byte_tokens.fill(unknown);
  ids.reserve(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto token = static_cast<Token>(i);
    switch (kinds[i]) {
      case TokenKind::byte:
        byte_tokens[bytes[i]] = token;
        break;
      case TokenKind::normal:
      case TokenKind::unused:
        ids[texts[i]] = token;  // of equal texts the last counts
        break;
      case TokenKind::user_defined:
        ids[texts[i]] = token;
        [[fallthrough]];
      case TokenKind::unknown:
      case TokenKind::control:
        if (!texts[i].empty()) {
          special.push_back(token);
        }
        break;
    }
  }
  std::ranges::stable_sort(special, [this](Token a, Token b) {
    return texts[static_cast<std::size_t>(a)].size() > texts[static_cast<std::size_t>(b)].size();
  });
}

}  // namespace flowspec
