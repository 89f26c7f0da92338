#include "models/tokenizer/token_finder.hpp"

#include <algorithm>
#include <utility>

namespace flowspec {

TokenFinder::TokenFinder(std::vector<Entry> entries) : entries_(std::move(entries)) {
  const auto same = [](const Entry& a, const Entry& b) { return a.text == b.text; };
  std::ranges::stable_sort(entries_, {}, &Entry::text);
  entries_.erase(std::unique(entries_.begin(), entries_.end(), same), entries_.end());
  for (const Entry& entry : entries_)
    ++begins_[static_cast<unsigned char>(entry.text[0]) + std::size_t{1}];
  for (std::size_t byte = 1; byte < begins_.size(); ++byte)
    begins_[byte] += begins_[byte - 1];
}

void TokenFinder::find(std::string_view text, std::vector<const Entry*>& found) const {
  found.clear();
  if (text.empty())
    return;
  const auto first = static_cast<unsigned char>(text[0]);
  const Entry* begin = entries_.data() + begins_[first];
  const Entry* end = entries_.data() + begins_[first + std::size_t{1}];
  // All entries from begin to end agree with the text in the first `size` bytes; the shortest is
  // first.
  for (std::size_t size = 1; begin != end; ++size) {
    if (begin->text.size() == size)
      found.push_back(begin++);
    if (size == text.size())
      return;
    const auto byte_of = [size](const Entry& entry) {
      return static_cast<unsigned char>(entry.text[size]);
    };
    const auto byte = static_cast<unsigned char>(text[size]);
    begin = std::ranges::lower_bound(begin, end, byte, {}, byte_of);
    end = std::ranges::upper_bound(begin, end, byte, {}, byte_of);
  }
}

}  // namespace flowspec
