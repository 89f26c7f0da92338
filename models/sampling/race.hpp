#pragma once

#include <cstddef>
#include <span>

#include "models/sampling/logit_row.hpp"
#include "models/sampling/noise.hpp"

namespace flowspec {

/// A token that runs in the race for a position (see noise.hpp).
struct Runner {
  Token token = 0;
  /// (logit - the row's largest) / temperature + Gumbel noise: the largest wins.
  double score = 0;
};

/// Finds the `out.size()` tokens of largest score, best first, ties to the lower token, among those
/// up to `last` in the order of `comes_first`. Returns how many there are, at least one
/// if `last` does not come before the row's best. For a row
/// whose largest logit is finite; temperature above 0.
///
/// Looks only into the blocks that can still win: a block's score is at most
/// (largest of its logits - the row's) / temperature - ln(its least number).
std::size_t find_winners(const LogitRow& row, float temperature, const Noise& noise,
                         const RankedToken& last, std::span<Runner> out);

}  // namespace flowspec
