#include "models/tokenizer/nfc.hpp"

#include <cstdlib>
#include <memory>
#include <new>

#include <utf8proc.h>

#include "models/tokenizer/utf8.hpp"

namespace flowspec {
namespace {

constexpr std::size_t longest_part = 4096;

/// True for first bytes of characters that never compose with what precedes them: ASCII and Chinese
/// characters.
bool may_be_cut_before(unsigned char first_byte) {
  return first_byte < 0x80 || (first_byte >= 0xe4 && first_byte <= 0xe9);
}

/// The length of the first part of `text`, which is well-formed.
std::size_t part_of(std::string_view text) {
  if (text.size() <= longest_part)
    return text.size();
  std::size_t at = longest_part;
  while (at > longest_part / 2 && !may_be_cut_before(static_cast<unsigned char>(text[at])))
    --at;
  if (at == longest_part / 2)
    at = longest_part;
  while ((static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
    --at;
  return at;
}

void append_nfc(std::string_view text, std::string& out) {
  utf8proc_uint8_t* composed = nullptr;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const utf8proc_ssize_t size =
      utf8proc_map(bytes, static_cast<utf8proc_ssize_t>(text.size()), &composed,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(composed, &std::free);
  if (size < 0)
    throw std::bad_alloc();  // well-formed text has no other error
  out.append(reinterpret_cast<const char*>(composed), static_cast<std::size_t>(size));
}

}  // namespace

std::string to_nfc(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t size = 0;
    bool is_ascii = true;
    while (size < text.size()) {
      const Utf8Step step = next_utf8(text.substr(size));
      if (step.kind != Utf8Step::Kind::character)
        break;
      is_ascii = is_ascii && step.size == 1;
      size += step.size;
    }
    const std::string_view well_formed = text.substr(0, size);
    if (is_ascii) {
      out += well_formed;
    } else {
      for (std::string_view rest = well_formed; !rest.empty();) {
        const std::size_t part = part_of(rest);
        append_nfc(rest.substr(0, part), out);
        rest.remove_prefix(part);
      }
    }
    text.remove_prefix(size);
    if (!text.empty()) {
      out += text[0];
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace flowspec
