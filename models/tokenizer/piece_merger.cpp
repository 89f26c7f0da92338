#include "models/tokenizer/piece_merger.hpp"

#include <limits>
#include <queue>

#include "models/tokenizer/utf8.hpp"

namespace flowspec {
namespace {

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

/// A run of characters, in a doubly linked list; an empty text marks one that was merged away.
struct Symbol {
  std::string_view text;
  std::size_t previous = none;
  std::size_t next = none;
};

struct Pair {
  float score;
  std::size_t left;
  std::size_t right;
  /// Length of both texts: the pair is out of date if it has changed.
  std::size_t size;

  friend bool operator<(const Pair& a, const Pair& b) {
    return a.score < b.score || (a.score == b.score && a.left > b.left);
  }
};

class Merger {
 public:
  Merger(const Vocabulary& vocabulary, std::string_view text) : vocabulary_(vocabulary) {
    while (!text.empty()) {
      const Utf8Step step = next_utf8(text);
      // Of ill-formed bytes each is a symbol of its own.
      const std::size_t size = step.kind == Utf8Step::Kind::character ? step.size : 1;
      const std::size_t index = symbols_.size();
      symbols_.push_back({text.substr(0, size), index == 0 ? none : index - 1,
                          size == text.size() ? none : index + 1});
      text.remove_prefix(size);
    }
  }

  void run() {
    for (std::size_t i = 1; i < symbols_.size(); ++i) {
      consider(i - 1, i);
    }
    while (!pairs_.empty()) {
      const Pair best = pairs_.top();
      pairs_.pop();
      Symbol& left = symbols_[best.left];
      Symbol& right = symbols_[best.right];
      if (left.text.empty() || right.text.empty() ||
          left.text.size() + right.text.size() != best.size) {
        continue;  // one of them has been merged since
      }
      left.text = joined(left, right);
      right.text = {};
      left.next = right.next;
      if (right.next != none) {
        symbols_[right.next].previous = best.left;
      }
      consider(left.previous, best.left);
      consider(best.left, left.next);
    }
  }

  void append_to(std::vector<Token>& out) const {
    for (std::size_t i = symbols_.empty() ? none : 0; i != none; i = symbols_[i].next) {
      const std::string_view text = symbols_[i].text;
      if (const auto it = vocabulary_.ids.find(text); it != vocabulary_.ids.end()) {
        out.push_back(it->second);
        continue;
      }
      for (const char c : text) {
        const Token token = vocabulary_.byte_tokens[static_cast<unsigned char>(c)];
        if (token != no_token) {
          out.push_back(token);
        }
      }
    }
  }

 private:
  /// Neighbours lie next to each other in the text.
  static std::string_view joined(const Symbol& left, const Symbol& right) {
    return {left.text.data(), left.text.size() + right.text.size()};
  }

  void consider(std::size_t left, std::size_t right) {
    if (left == none || right == none) {
      return;
    }
    const std::string_view text = joined(symbols_[left], symbols_[right]);
    if (const auto it = vocabulary_.ids.find(text); it != vocabulary_.ids.end()) {
      const float score = vocabulary_.scores[static_cast<std::size_t>(it->second)];
      pairs_.push({score, left, right, text.size()});
    }
  }

  const Vocabulary& vocabulary_;
  std::vector<Symbol> symbols_;
  std::priority_queue<Pair> pairs_;
};

}  // namespace

void merge_pieces(const Vocabulary& vocabulary, std::string_view text, std::vector<Token>& out) {
  Merger merger(vocabulary, text);
  merger.run();
  merger.append_to(out);
}

}  // namespace flowspec
