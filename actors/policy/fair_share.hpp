#pragma once
/// How the rows of one segment are divided among sessions, so that none starves another: every
/// session's root first, then the best guesses of all, and prompts have half of the segment and
/// whatever is left. Plain C++.

#include <cstddef>
#include <span>
#include <vector>

namespace flowspec {

/// What one session would send, in the order in which it has to leave.
struct Demand {
  /// Its root is beyond the prompt and has not been sent: without it the session stands still.
  bool root = false;
  /// Rows of the prompt. A session has these, or a root, or neither.
  std::size_t prompt_rows = 0;
  /// Reaches of the guesses behind them.
  std::vector<double> guesses;

  std::size_t rows() const { return (root ? 1 : 0) + prompt_rows + guesses.size(); }
};

/// Divides at most `rows` rows; gives how many each session may send, from the begin of its order.
/// `demands` are in turn: who is first has the advantage where not all can have the same, so the
/// caller lets another one be first each time. One session alone has as many as there are.
std::vector<std::size_t> divide_rows(std::span<const Demand> demands, std::size_t rows);

}  // namespace flowspec
