#pragma once
/// How the rows of one segment are divided among sessions, so that no session starves another:
/// first every session's root, then the best guesses of all sessions. Prompts get half of the
/// segment and whatever is left, but beside answers no more than the caller allows, since answers
/// wait for every row. Plain C++.

#include <cstddef>
#include <span>
#include <vector>

namespace flowspec {

/// The rows that one session would send, in the order in which they have to leave.
struct Demand {
  /// Its root is beyond the prompt and has not been sent: without it the session makes no progress.
  bool root = false;
  /// Rows of the prompt. A session has these, or a root, or neither.
  std::size_t prompt_rows = 0;
  /// Path probabilities of the guesses behind them.
  std::vector<double> guesses;

  std::size_t rows() const { return (root ? 1 : 0) + prompt_rows + guesses.size(); }
};

/// Divides at most `rows` rows; returns how many each session may send, from the beginning of its
/// order. Sessions at the front of `demands` win where the rows do not suffice for all, so the
/// caller rotates the order from call to call. A single session gets all the rows it can use.
/// @param most_prompt  most rows of prompts, all together.
std::vector<std::size_t> divide_rows(std::span<const Demand> demands, std::size_t rows,
                                     std::size_t most_prompt = static_cast<std::size_t>(-1));

}  // namespace flowspec
