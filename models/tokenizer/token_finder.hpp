#pragma once
/// Internal to models/tokenizer.

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "models/base/types.hpp"

namespace flowspec {

/// Finds token texts at a position of a text, in time that hardly grows with the number of tokens.
class TokenFinder {
 public:
  struct Entry {
    std::string text;
    Token token = 0;
  };

  TokenFinder() = default;
  /// No text is empty. Of equal texts the first counts.
  explicit TokenFinder(std::vector<Entry> entries);

  bool empty() const { return entries_.empty(); }
  /// Sets `found` to the entries that `text` begins with, shortest first.
  void find(std::string_view text, std::vector<const Entry*>& found) const;

 private:
  /// Sorted by text.
  std::vector<Entry> entries_;
  /// By first byte: the index of the first entry whose text begins with it.
  std::array<std::size_t, 257> begins_{};
};

}  // namespace flowspec
