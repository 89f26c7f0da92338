#include "models/tokenizer/text_stream.hpp"

#include <algorithm>
#include <utility>

#include "models/tokenizer/utf8.hpp"

namespace flowspec {
namespace {

/// Length of the longest suffix of `text` that is a proper prefix of `stop`.
std::size_t begun_length(std::string_view text, std::string_view stop) {
  for (std::size_t size = std::min(text.size(), stop.size() - 1); size > 0; --size)
    if (text.ends_with(stop.substr(0, size)))
      return size;
  return 0;
}

}  // namespace

TextStream::TextStream(Tokenizer tokenizer, std::vector<std::string> stop_strings)
    : tokenizer_(std::move(tokenizer)), stop_strings_(std::move(stop_strings)) {
  std::erase_if(
      stop_strings_, [](const std::string& stop) { return stop.empty() || !is_utf8(stop); });
}

std::string TextStream::push(Token token) {
  if (stopped())
    return {};
  bytes_ += tokenizer_.piece(token);
  decode_characters(false);
  return release(false);
}

std::string TextStream::finish() {
  if (stopped())
    return {};
  decode_characters(true);
  return release(true);
}

/// Moves complete characters, and U+FFFD for invalid bytes, from `bytes_` to `held_`.
void TextStream::decode_characters(bool is_last) {
  std::string_view rest = bytes_;
  while (!rest.empty()) {
    const Utf8Step step = next_utf8(rest);
    if (step.kind == Utf8Step::Kind::incomplete && !is_last)
      break;
    held_ +=
        step.kind == Utf8Step::Kind::character ? rest.substr(0, step.size) : replacement_character;
    rest.remove_prefix(step.size);
  }
  bytes_.erase(0, bytes_.size() - rest.size());
}

/// Takes the text that is final out of `held_`.
std::string TextStream::release(bool is_last) {
  std::size_t found_begin = 0;
  std::size_t found_end = std::string::npos;
  for (const std::string& stop : stop_strings_) {
    const std::size_t begin = held_.find(stop);
    if (begin == std::string::npos)
      continue;
    const std::size_t end = begin + stop.size();
    if (end < found_end || (end == found_end && begin < found_begin)) {
      found_begin = begin;
      found_end = end;
      stop_ = stop;
    }
  }
  if (stopped()) {
    std::string text = held_.substr(0, found_begin);
    held_.clear();
    bytes_.clear();
    return text;
  }
  std::size_t keep = 0;
  if (!is_last)
    for (const std::string& stop : stop_strings_)
      keep = std::max(keep, begun_length(held_, stop));
  std::string text = held_.substr(0, held_.size() - keep);
  held_.erase(0, text.size());
  return text;
}

}  // namespace flowspec
