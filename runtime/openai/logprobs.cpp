/// Log-probabilities as clients want them.

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "models/tokenizer/utf8.hpp"
#include "runtime/openai/answer_parts.hpp"

namespace flowspec::openai {
namespace {

/// JSON has no infinity; this is OpenAI's word for a token that cannot come.
constexpr float impossible = -9999;

/// With the digits that a float32 has.
double shortest(float logprob) {
  // The comparison is false for NaN, too.
  if (!(logprob > impossible))
    return impossible;
  return std::strtod(fmt::format("{}", logprob).c_str(), nullptr);
}

/// As a text; the bytes that are not become U+FFFD.
std::string as_text(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    auto step = next_utf8(bytes);
    text +=
        step.kind == Utf8Step::Kind::character ? bytes.substr(0, step.size) : replacement_character;
    bytes.remove_prefix(step.size);
  }
  return text;
}

/// As a text if it is one, else its bytes by number.
std::string as_name(std::string_view bytes) {
  if (is_utf8(bytes))
    return std::string(bytes);
  std::string name = "bytes:";
  for (char byte : bytes)
    name += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return name;
}

Json piece_json(std::string_view bytes, float logprob) {
  auto numbers = Json::array();
  for (char byte : bytes)
    numbers.push_back(static_cast<unsigned char>(byte));
  return {{"token", as_text(bytes)}, {"logprob", shortest(logprob)}, {"bytes", std::move(numbers)}};
}

}  // namespace

std::uint64_t TextOffsets::next(std::string_view bytes) {
  auto begin = characters_;
  incomplete_ += bytes;
  std::string_view rest = incomplete_;
  while (!rest.empty()) {
    auto step = next_utf8(rest);
    if (step.kind == Utf8Step::Kind::incomplete)
      break;
    ++characters_;
    rest.remove_prefix(step.size);
  }
  incomplete_ = std::string(rest);
  return begin;
}

Json chat_logprobs(std::span<const ScoredToken> tokens) {
  auto content = Json::array();
  for (const auto& token : tokens) {
    Json entry = piece_json(token.bytes, token.logprob);
    auto& top = entry["top_logprobs"] = Json::array();
    for (const auto& piece : token.top)
      top.push_back(piece_json(piece.bytes, piece.logprob));
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}};
}

Json completion_logprobs(std::span<const ScoredToken> tokens, TextOffsets& offsets) {
  auto names = Json::array();
  auto logprobs = Json::array();
  auto tops = Json::array();
  auto places = Json::array();
  for (const auto& token : tokens) {
    names.push_back(as_name(token.bytes));
    logprobs.push_back(shortest(token.logprob));
    // The token itself is there, whether it is among the likeliest or not. Of tokens of the same text the
    // likeliest counts.
    Json top = Json::object();
    for (const auto& piece : token.top)
      top.emplace(as_name(piece.bytes), shortest(piece.logprob));
    top.emplace(as_name(token.bytes), shortest(token.logprob));
    tops.push_back(std::move(top));
    places.push_back(offsets.next(token.bytes));
  }
  return {{"tokens", std::move(names)},
          {"token_logprobs", std::move(logprobs)},
          {"top_logprobs", std::move(tops)},
          {"text_offset", std::move(places)}};
}

}  // namespace flowspec::openai
