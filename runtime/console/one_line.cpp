#include "runtime/console/one_line.hpp"

#include "models/tokenizer/utf8.hpp"

namespace flowspec {

std::string one_line(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    auto step = next_utf8(text);
    auto character = text.substr(0, step.size);
    auto first = static_cast<unsigned char>(character[0]);
    // U+0080 to U+009F are control characters too.
    auto is_control = first < ' ' || first == 0x7f ||
                      (first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0);
    if (step.kind != Utf8Step::Kind::character || is_control)
      line += '?';
    else
      line += character;
    text.remove_prefix(step.size);
  }
  return line;
}

}  // namespace flowspec
