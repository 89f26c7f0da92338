#pragma once
/// Internal to models/tokenizer.

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "models/base/types.hpp"

namespace flowspec {

/// Texts of tokens, of which one is looked for at a place of another text: in a time that hardly
/// grows with their number.
class TokenFinder {
 public:
  struct Entry {
    std::string text;
    Token token = 0;
  };

  TokenFinder() = default;
  /// No text is empty. Of equal ones the first counts.
  explicit TokenFinder(std::vector<Entry> entries);

  bool empty() const { return entries_.empty(); }
  /// Sets `found` to the entries that `text` begins with, shortest first.
  void find(std::string_view text, std::vector<const Entry*>& found) const;

 private:
  /// Ascending.
  std::vector<Entry> entries_;
  /// By the first byte of their text: entries from here to the next byte's.
  std::array<std::size_t, 257> begins_{};
};

}  // namespace flowspec
