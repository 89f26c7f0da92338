#pragma once
/// Internal to models/tokenizer.

#include <string>
#include <string_view>

namespace flowspec {

/// Unicode's canonical composition (NFC) of a text. Bytes that are not UTF-8 stay as they are.
/// Works on parts of some thousand bytes, so that it takes linear time for any text.
std::string to_nfc(std::string_view text);

}  // namespace flowspec
