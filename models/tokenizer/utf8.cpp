#include "models/tokenizer/utf8.hpp"

namespace flowspec {
namespace {

/// Well-formed sequences by their first byte (Unicode 3.9, table 3-7): how long they are, and what
/// the second byte may be. All later bytes are 80 to BF.
struct Sequence {
  std::size_t size;
  unsigned char second_low;
  unsigned char second_high;
};

Sequence sequence_of(unsigned char first) {
  if (first < 0x80)
    return {1, 0, 0};
  if (first < 0xc2 || first > 0xf4)
    return {0, 0, 0};
  if (first < 0xe0)
    return {2, 0x80, 0xbf};
  if (first < 0xf0) {
    const bool surrogates = first == 0xed;
    const bool overlong = first == 0xe0;
    return {3, static_cast<unsigned char>(overlong ? 0xa0 : 0x80),
            static_cast<unsigned char>(surrogates ? 0x9f : 0xbf)};
  }
  return {4, static_cast<unsigned char>(first == 0xf0 ? 0x90 : 0x80),
          static_cast<unsigned char>(first == 0xf4 ? 0x8f : 0xbf)};
}

}  // namespace

Utf8Step next_utf8(std::string_view bytes) {
  const Sequence sequence = sequence_of(static_cast<unsigned char>(bytes[0]));
  if (sequence.size == 0)
    return {Utf8Step::Kind::invalid, 1};
  for (std::size_t i = 1; i < sequence.size; ++i) {
    if (i == bytes.size())
      return {Utf8Step::Kind::incomplete, i};
    const auto byte = static_cast<unsigned char>(bytes[i]);
    const unsigned char low = i == 1 ? sequence.second_low : 0x80;
    const unsigned char high = i == 1 ? sequence.second_high : 0xbf;
    if (byte < low || byte > high)
      return {Utf8Step::Kind::invalid, i};
  }
  return {Utf8Step::Kind::character, sequence.size};
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Utf8Step step = next_utf8(bytes);
    if (step.kind != Utf8Step::Kind::character)
      return false;
    bytes.remove_prefix(step.size);
  }
  return true;
}

}  // namespace flowspec
