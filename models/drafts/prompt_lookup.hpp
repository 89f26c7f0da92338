#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/base/types.hpp"
#include "models/sampling/candidates.hpp"

namespace flowspec {

struct PromptLookupOptions {
  /// Longest and shortest n-gram that is searched for.
  std::uint32_t max_ngram = 4;
  std::uint32_t min_ngram = 1;
  /// Most candidates that are proposed.
  std::uint32_t max_candidates = 16;
  /// Only this many of the latest tokens are searched.
  std::size_t max_history = 8192;
};

/// Proposes the next token of a text from the text itself: the tokens that followed earlier
/// occurrences of its last n tokens. Needs no weights; works well when a text repeats its prompt.
///
/// Candidates of all lengths n are blended as in Witten-Bell smoothing (PPM's method C). Let c be
/// how often a token followed the n-gram, T the n-gram's earlier occurrences, and D how many
/// different tokens followed. Then, from the shortest n on,
///   p_n(token) = (c + (D + s) * p_(n-1)(token)) / (T + D + s),   s = max_ngram - n,
/// where p is 0 below the shortest, so a single occurrence of the longest n-gram gives one half,
/// and short n-grams promise less. Lengths n whose n-gram does not occur earlier are left out.
class PromptLookup {
 public:
  /// Options outside sensible ranges are clamped.
  explicit PromptLookup(const PromptLookupOptions& options = {});

  /// Replaces `out` by the candidates for the token after `prefix` + `tail`, best first; among
  /// equals the token seen last comes first. Empty if nothing repeats. Needs no index: 4000 tokens
  /// take about 10 microseconds, up to 100 if a quarter of them equal the last token.
  void propose(std::span<const Token> prefix, std::span<const Token> tail,
               std::vector<Candidate>& out) const;

 private:
  PromptLookupOptions options_;
};

}  // namespace flowspec
