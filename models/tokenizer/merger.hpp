#pragma once
/// Internal to models/tokenizer.

#include <cstdint>
#include <limits>
#include <optional>
#include <queue>
#include <string_view>
#include <utility>
#include <vector>

namespace flowspec {

/// A run of characters of a text, in a doubly linked list; an empty text marks a symbol that was
/// merged into another.
struct Symbol {
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  std::string_view text;
  /// Its id in the vocabulary; the merger does not read it.
  std::int32_t id = -1;
  std::size_t previous = none;
  std::size_t next = none;
};

/// The result of merging two neighbours.
struct Merge {
  /// The highest priority merges first.
  double priority = 0;
  std::int32_t id = -1;
};

/// Byte-pair encoding, as SentencePiece and Hugging Face's tokenizers do it: the neighbouring pair
/// with the highest priority (the leftmost of equals) becomes one symbol, until no pair can be
/// merged. `FindMerge` takes two neighbours and returns std::optional<Merge>. O(n log n).
template <class FindMerge>
class Merger {
 public:
  explicit Merger(FindMerge find_merge) : find_merge_(std::move(find_merge)) {}

  /// Adds the next symbol, from left to right; the texts must be contiguous in memory.
  void add(std::string_view text, std::int32_t id) {
    const std::size_t index = symbols_.size();
    if (index != 0)
      symbols_.back().next = index;
    symbols_.push_back({text, id, index == 0 ? Symbol::none : index - 1, Symbol::none});
  }

  void run() {
    for (std::size_t i = 1; i < symbols_.size(); ++i)
      consider(i - 1, i);
    while (!pairs_.empty()) {
      const Pair best = pairs_.top();
      pairs_.pop();
      Symbol& left = symbols_[best.left];
      Symbol& right = symbols_[best.right];
      if (left.text.empty() || right.text.empty() ||
          left.text.size() + right.text.size() != best.size)
        continue;  // one of them has been merged since
      left.text = {left.text.data(), best.size};
      left.id = best.id;
      right.text = {};
      left.next = right.next;
      if (right.next != Symbol::none)
        symbols_[right.next].previous = best.left;
      consider(left.previous, best.left);
      consider(best.left, left.next);
    }
  }

  /// Calls `use` with each symbol that is left, from left to right.
  template <class Use>
  void for_each(const Use& use) const {
    for (std::size_t i = symbols_.empty() ? Symbol::none : 0; i != Symbol::none;
         i = symbols_[i].next)
      use(symbols_[i]);
  }

  /// For the next text; keeps the memory.
  void clear() { symbols_.clear(); }

 private:
  struct Pair {
    double priority;
    std::size_t left;
    std::size_t right;
    /// Length of both texts together; if it has changed, the pair is out of date.
    std::size_t size;
    std::int32_t id;

    friend bool operator<(const Pair& a, const Pair& b) {
      return a.priority < b.priority || (a.priority == b.priority && a.left > b.left);
    }
  };

  void consider(std::size_t left, std::size_t right) {
    if (left == Symbol::none || right == Symbol::none)
      return;
    if (const std::optional<Merge> merge = find_merge_(symbols_[left], symbols_[right])) {
      const std::size_t size = symbols_[left].text.size() + symbols_[right].text.size();
      pairs_.push({merge->priority, left, right, size, merge->id});
    }
  }

  FindMerge find_merge_;
  std::vector<Symbol> symbols_;
  std::priority_queue<Pair> pairs_;
};

}  // namespace flowspec
