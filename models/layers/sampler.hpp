#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "models/base/types.hpp"

namespace flowspec {

struct SamplerOptions {
  /// 0: always the most likely token (greedy).
  float temperature = 0;
  /// Choose among the `top_k` most likely tokens; 0: among all.
  std::uint32_t top_k = 0;
  /// Choose among the most likely tokens that together have this probability; 1: among all.
  float top_p = 1;
  std::uint64_t seed = 0;

  friend bool operator==(const SamplerOptions&, const SamplerOptions&) = default;
};

/// What is wrong with the options, for the user; nothing if they are fine.
std::optional<std::string> find_problem(const SamplerOptions& options);

/// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy
/// as 1, 2, 3" (SC 2011).
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// A uniform number in [0, 1), with 53 random bits, for this seed and position.
double uniform(std::uint64_t seed, Position position);

/// Chooses the token for `position` from one row of logits, which must not be empty. The result
/// depends only on the arguments.
///
/// Temperature 0 (or less): the largest logit. Else, in this order: keep the `top_k` largest
/// logits; turn logit / temperature into probabilities (in double); with tokens sorted from the
/// most likely down, keep the shortest prefix whose probability reaches `top_p`; take the first
/// token of that prefix whose cumulative probability exceeds uniform(seed, position) times the
/// prefix's. Ties always go to the lower token. Throws ModelError if a logit is NaN or infinite:
/// the model is broken.
Token sample(std::span<const float> logits, const SamplerOptions& options, Position position);

/// A token that a draft proposes.
struct Candidate {
  Token token = 0;
  float log_prob = 0;

  friend bool operator==(const Candidate&, const Candidate&) = default;
};

/// Writes the `k` most likely tokens, best first, ties to the lower token, with their
/// log-probabilities under the softmax of all logits (relative error about 1e-6). Returns how many
/// were written: the least of k, logits.size(), out.size() and the number of logits above minus
/// infinity; NaN counts as minus infinity, since a broken draft does not change the text.
std::size_t top_k_log_probs(std::span<const float> logits, std::size_t k, std::span<Candidate> out);

}  // namespace flowspec
