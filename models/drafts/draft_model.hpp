#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "models/base/types.hpp"
#include "models/kv/kv_cache.hpp"
#include "models/sampling/candidates.hpp"

namespace flowspec {

/// One tree node that a draft model is asked to continue.
struct DraftRow {
  Token token = 0;
  RowContext context;
  /// Tokens of the whole context, split like the slots in `context`; the tail ends with `token`.
  /// Prompt look-up uses only these, a language model only `context`.
  std::span<const Token> prefix_tokens;
  std::span<const Token> tail_tokens;
  /// How the token after it will be chosen.
  Guess guess{};
};

/// Proposes the tokens of the tree: a small language model, an EAGLE head, or prompt look-up. Used
/// by one thread at a time.
class DraftModel {
 public:
  virtual ~DraftModel() = default;

  /// Length of the features that the draft reads, one for each node; 0: it reads none. A feature is
  /// the target's hidden state after the final norm, or what `read_taps` makes of other ones.
  virtual std::uint32_t feature_size() const = 0;
  /// What the draft reads of the target instead of its last hidden state: the residual stream that
  /// enters these layers, rising; the number of layers stands for what leaves the last one. Empty
  /// for most drafts.
  virtual std::span<const std::uint32_t> taps() const { return {}; }
  /// Length of one tap: the target's hidden size. 0 without taps.
  virtual std::uint32_t tap_size() const { return 0; }
  /// Turns taps into features, if the draft has taps.
  /// @param values    rows x (taps x tap_size).
  /// @param features  rows x feature_size.
  virtual void read_taps(std::span<const float> /*values*/, std::size_t /*rows*/,
                         std::span<float> /*features*/) {}
  /// An empty cache for the rows that it computes; null for a draft that keeps nothing of them.
  virtual std::unique_ptr<KvCache> make_cache(std::uint32_t /*slots*/) const { return nullptr; }
  /// Bytes that such a cache takes.
  virtual std::size_t cache_bytes(std::uint32_t /*slots*/) const { return 0; }
  virtual std::uint32_t max_rows() const = 0;
  /// A scale to begin with for guesses at this temperature (see `Guess`), before any choice of the
  /// target has been seen.
  virtual float first_scale(float /*temperature*/) const { return 1; }

  /// Computes the `top_k` continuations of every row that the target will most likely choose (see
  /// `best_candidates`).
  /// @param rows          any number; more than max_rows are computed in parts.
  /// @param features_in   rows x feature_size.
  /// @param top_k         0 only fills the cache, as for all but the last row of a prompt.
  /// @param candidates    rows x top_k, best first, padded with token -1.
  /// @param features_out  rows x feature_size: what a child of the row takes as `features_in`.
  virtual void forward(std::span<const DraftRow> rows, std::span<const float> features_in,
                       std::uint32_t top_k, std::span<Candidate> candidates,
                       std::span<float> features_out) = 0;
};

}  // namespace flowspec
