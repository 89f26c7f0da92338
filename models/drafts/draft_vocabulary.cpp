#include "models/drafts/draft_vocabulary.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "models/base/error.hpp"
#include "models/formats/error_text.hpp"
#include "models/formats/text_file.hpp"

namespace flowspec {
namespace {

constexpr std::size_t most_bytes = std::size_t{64} << 20;
constexpr const char* advice =
    "Give a list with one token id a line, as `flowspec tokenize --most-frequent` writes it.";

/// The line without its comment, and without space around it.
std::string_view content(std::string_view line) {
  constexpr std::string_view space = " \t\r";
  line = line.substr(0, line.find('#'));
  const std::size_t begin = line.find_first_not_of(space);
  if (begin == std::string_view::npos)
    return {};
  return line.substr(begin, line.find_last_not_of(space) - begin + 1);
}

}  // namespace

DraftVocabulary::DraftVocabulary(std::vector<Token> tokens, std::size_t target_size)
    : tokens_(std::move(tokens)), target_size_(target_size) {
  if (!tokens_.empty())
    target_logits_.assign(target_size, -std::numeric_limits<float>::infinity());
}

std::size_t DraftVocabulary::choose(std::span<const float> logits, std::size_t k,
                                    const Guess& guess, std::span<Candidate> out) {
  assert(logits.size() == size());
  if (tokens_.empty())
    return best_candidates(logits, k, guess, out);
  for (std::size_t i = 0; i < tokens_.size(); ++i)
    target_logits_[static_cast<std::size_t>(tokens_[i])] = logits[i];
  return best_candidates(target_logits_, k, guess, out);
}

std::vector<Token> read_token_list(const std::filesystem::path& file, std::size_t vocab_size) {
  const std::string text = read_text_file(file, most_bytes, advice);
  std::vector<Token> tokens;
  std::vector<bool> taken(vocab_size);
  std::size_t number = 0;
  const auto fail = [&](const std::string& what) {
    throw ModelError(file.string() + ": line " + std::to_string(number) + " " + what + ". " +
                     advice);
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view word = content(std::string_view(text).substr(at, end - at));
    at = end + 1;
    ++number;
    if (word.empty())
      continue;
    std::size_t token = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), token);
    if (error != std::errc() || stop != word.data() + word.size() || token >= vocab_size)
      fail("has '" + printable(std::string(word)) + "', which is none of the model's " +
           std::to_string(vocab_size) + " tokens");
    if (taken[token])
      fail("names token " + std::to_string(token) + " again");
    taken[token] = true;
    tokens.push_back(static_cast<Token>(token));
  }
  if (tokens.empty())
    throw ModelError(file.string() + ": names no token. " + advice);
  std::ranges::sort(tokens);
  return tokens;
}

}  // namespace flowspec
