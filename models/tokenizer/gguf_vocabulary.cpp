#include <algorithm>
#include <cmath>
#include <optional>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/gguf.hpp"
#include "models/tokenizer/byte_pairs.hpp"
#include "models/tokenizer/sentence_pieces.hpp"
#include "models/tokenizer/vocabulary.hpp"
#include "models/tokenizer/word_patterns.hpp"

namespace flowspec {
namespace {

[[noreturn]] void fail(const GgufFile& file, const std::string& what) {
  throw ModelError(file.path().string() + ": " + what + ". Get the model from another source.");
}

/// The defaults of a kind of vocabulary if the file says nothing.
struct Defaults {
  Token unknown = no_token;
  Token bos = no_token;
  Token eos = no_token;
  bool add_bos = false;
  /// Texts like <0x0A> are bytes.
  bool has_byte_tokens = false;
};

std::vector<TokenKind> read_kinds(const GgufFile& file, const std::vector<std::string>& texts,
                                  bool has_byte_tokens) {
  const auto numbers = file.find_ints("tokenizer.ggml.token_type");
  if (numbers && numbers->size() != texts.size()) {
    fail(file, "tokenizer.ggml.token_type has " + std::to_string(numbers->size()) + " values for " +
                   std::to_string(texts.size()) + " tokens");
  }
  std::vector<TokenKind> kinds(texts.size(), TokenKind::normal);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::int64_t number = numbers ? (*numbers)[i] : 1;
    if (number >= 1 && number <= 6)
      kinds[i] = static_cast<TokenKind>(number);
    // Some files say that all tokens are normal ones.
    const bool is_byte = has_byte_tokens && parse_byte(texts[i]);
    if (is_byte)
      kinds[i] = TokenKind::byte;
    else if (kinds[i] == TokenKind::byte && !is_byte)
      kinds[i] = TokenKind::normal;  // a byte without a value
  }
  return kinds;
}

TokenTable read_table(const GgufFile& file, const Defaults& defaults) {
  TokenTable table;
  table.texts = file.require_strings("tokenizer.ggml.tokens");
  check_vocabulary_size(file.path(), table.size());
  table.kinds = read_kinds(file, table.texts, defaults.has_byte_tokens);
  // For ids that are out of range the default is used, as in llama.cpp.
  const auto read = [&](const std::string& name, Token fallback) {
    constexpr std::uint64_t none = 0xffffffff;  // how files often write it
    const std::string key = "tokenizer.ggml." + name + "_token_id";
    const auto id = file.find_uint(key);
    if (id && *id < table.size())
      return static_cast<Token>(*id);
    if (id && *id != none)
      table.warn_of_id(key, std::to_string(*id));
    return table.has(fallback) ? fallback : no_token;
  };
  table.unknown = read("unknown", defaults.unknown);
  table.bos = read("bos", defaults.bos);
  table.eos = read("eos", defaults.eos);
  table.set_ends({read("eot", no_token), read("eom", no_token)});
  table.add_bos = file.find_bool("tokenizer.ggml.add_bos_token").value_or(defaults.add_bos) &&
                  table.bos != no_token;
  table.add_eos =
      file.find_bool("tokenizer.ggml.add_eos_token").value_or(false) && table.eos != no_token;
  return table;
}

Vocabulary read_sentence_pieces(const GgufFile& file) {
  TokenTable table = read_table(
      file, {.unknown = 0, .bos = 1, .eos = 2, .add_bos = true, .has_byte_tokens = true});
  auto scores =
      file.find_floats("tokenizer.ggml.scores").value_or(std::vector<float>(table.size()));
  if (scores.size() != table.size()) {
    fail(file, "tokenizer.ggml.scores has " + std::to_string(scores.size()) + " values for " +
                   std::to_string(table.size()) + " tokens");
  }
  if (std::ranges::any_of(scores, [](float score) { return std::isnan(score); }))
    fail(file, "tokenizer.ggml.scores holds values that are not numbers");
  const bool prefix = file.find_bool("tokenizer.ggml.add_space_prefix").value_or(true);
  auto model = std::make_unique<SentencePieces>(
      table, std::move(scores), SpacePrefix{.at_begin = prefix, .after_special = prefix});
  return {std::move(table), std::move(model)};
}

std::vector<std::pair<std::string, std::string>> read_merges(const GgufFile& file) {
  constexpr std::size_t most = std::size_t{1} << 24;
  const auto lines = file.require_strings("tokenizer.ggml.merges");
  if (lines.size() > most) {
    fail(file, "tokenizer.ggml.merges has " + std::to_string(lines.size()) +
                   " entries, expected at most " + std::to_string(most));
  }
  std::vector<std::pair<std::string, std::string>> merges;
  for (const std::string& line : lines) {
    // The first symbol may itself begin with a space in some files.
    const std::size_t space = line.find(' ', 1);
    if (space == std::string::npos || space + 1 == line.size()) {
      fail(file, "tokenizer.ggml.merges: entry " + std::to_string(merges.size()) + " is '" +
                     printable(line) + "', expected two symbols with a space between");
    }
    merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return merges;
}

Vocabulary read_byte_pairs(const GgufFile& file) {
  const std::string name = file.find_string("tokenizer.ggml.pre").value_or("default");
  const auto rules = find_word_rules(name.empty() ? "default" : name);
  if (!rules) {
    throw ModelError(file.path().string() + ": tokenizer.ggml.pre is '" + printable(name) +
                     "', supported are: " + word_rule_names() +
                     ". Use a model that splits text in one of these ways.");
  }
  TokenTable table = read_table(file, {.add_bos = rules->add_bos});
  if (name.empty() || name == "default") {
    table.warnings.push_back(
        "tokenizer.ggml.pre does not say how the model splits text into words; it may be split in "
        "another way than the model was trained on");
  }
  auto model =
      std::make_unique<BytePairs>(table, read_merges(file), WordSplitter(rules->steps),
                                  BytePairOptions{.whole_words_first = rules->whole_words_first});
  return {std::move(table), std::move(model)};
}

}  // namespace

Vocabulary read_gguf_vocabulary(const GgufFile& file) {
  const std::string model = file.require_string("tokenizer.ggml.model");
  if (model == "llama")
    return read_sentence_pieces(file);
  if (model == "gpt2")
    return read_byte_pairs(file);
  throw ModelError(
      file.path().string() + ": tokenizer.ggml.model is '" + printable(model) +
      "', supported are: llama (SentencePiece), gpt2 (byte-level BPE). Use a model that "
      "has one of these.");
}

}  // namespace flowspec
