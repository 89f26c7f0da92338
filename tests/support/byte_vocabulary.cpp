#include "tests/support/byte_vocabulary.hpp"

#include <algorithm>

#include "models/tokenizer/byte_alphabet.hpp"

namespace flowspec::test {

std::string in_byte_alphabet(const std::string& bytes) {
  std::string text;
  for (const char c : bytes)
    text += character_of_byte(static_cast<unsigned char>(c));
  return text;
}

std::vector<std::string> token_texts(const ByteVocabulary& vocabulary) {
  std::vector<std::string> texts;
  const auto add = [&](const std::string& bytes) {
    if (std::ranges::find(vocabulary.no_tokens, bytes) == vocabulary.no_tokens.end())
      texts.push_back(in_byte_alphabet(bytes));
  };
  for (int byte = 0; byte < 256; ++byte)
    add(std::string(1, static_cast<char>(byte)));
  for (const auto& [left, right] : vocabulary.merges)
    add(left + right);
  for (const std::string& bytes : vocabulary.more)
    add(bytes);
  texts.insert(texts.end(), vocabulary.control.begin(), vocabulary.control.end());
  texts.insert(texts.end(), vocabulary.user_defined.begin(), vocabulary.user_defined.end());
  return texts;
}

void add_byte_vocabulary(GgufWriter& writer, const ByteVocabulary& vocabulary) {
  constexpr std::int32_t normal = 1;
  constexpr std::int32_t control = 3;
  constexpr std::int32_t user_defined = 4;
  const auto texts = token_texts(vocabulary);
  std::vector<std::int32_t> kinds(texts.size(), normal);
  const auto last = kinds.end() - static_cast<std::ptrdiff_t>(vocabulary.user_defined.size());
  std::fill(last - static_cast<std::ptrdiff_t>(vocabulary.control.size()), last, control);
  std::fill(last, kinds.end(), user_defined);
  std::vector<std::string> merges;
  for (const auto& [left, right] : vocabulary.merges)
    merges.push_back(in_byte_alphabet(left) + " " + in_byte_alphabet(right));
  writer.add_string("tokenizer.ggml.model", "gpt2");
  writer.add_strings("tokenizer.ggml.tokens", texts);
  writer.add_ints("tokenizer.ggml.token_type", kinds);
  writer.add_strings("tokenizer.ggml.merges", merges);
}

}  // namespace flowspec::test
