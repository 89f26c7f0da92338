#include "models/tokenizer/normalizer.hpp"

#include "models/tokenizer/nfc.hpp"

namespace flowspec {
namespace {

/// As SentencePiece's `remove_extra_whitespaces`, which affects only U+0020.
std::string without_extra_spaces(std::string_view text) {
  std::string out;
  bool after_space = true;
  for (const char c : text) {
    if (c != ' ' || !after_space)
      out += c;
    after_space = c == ' ';
  }
  return out;
}

}  // namespace

std::string mark_spaces(std::string_view text) {
  std::string marked;
  for (const char c : text)
    if (c == ' ')
      marked += space_mark;
    else
      marked += c;
  return marked;
}

std::string Normalizer::normalize(std::string_view text) const {
  std::string out = composes ? to_nfc(text) : std::string(text);
  if (removes_extra_spaces)
    out = without_extra_spaces(out);
  if (out.empty())
    return out;
  if (marks_spaces)
    out = mark_spaces(out);
  if (prepends_mark)
    out.insert(0, space_mark);
  if (removes_extra_spaces) {
    // Trailing marks are removed too: those in the text itself, and the prepended one.
    while (out.ends_with(space_mark) || out.ends_with(' '))
      out.resize(out.size() - (out.back() == ' ' ? 1 : space_mark.size()));
  }
  return out;
}

std::size_t Normalizer::normalized_size(std::string_view part) const {
  Normalizer inner = *this;
  inner.prepends_mark = false;
  return inner.normalize(part).size();
}

}  // namespace flowspec
