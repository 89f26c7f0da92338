#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/sampling/filters.hpp"
#include "models/sampling/penalties.hpp"

namespace flowspec {

/// A token that a draft proposes.
struct Candidate {
  Token token = 0;
  /// Of its being the target's choice, as the draft judges it.
  float log_prob = 0;
  /// Where look-up stands beside the draft, `log_prob` is of both: the log-probability that the
  /// draft alone gave it (minus infinity: it did not propose it), and the probability that look-up
  /// alone did.
  float by_draft = 0;
  float by_lookup = 0;

  friend bool operator==(const Candidate&, const Candidate&) = default;
};

/// What a draft knows of the choice that it guesses.
struct Guess {
  SamplerOptions sampling;
  /// The position of the guessed token.
  Position position = 0;
  /// The draft adds the noise with which the target will choose (coupling). Else it guesses what is
  /// likely.
  bool coupled = true;
  /// How far this draft's logits are from the target's, in units of logits (see `best_candidates`).
  float scale = 1;
  /// Shifts the target's logits by the text, `path` being what follows the text that it was told; null:
  /// nothing does.
  const Penalties* penalties = nullptr;
  std::span<const Token> path{};
};

/// Writes the `k` tokens that the target will most likely choose, best first, ties to the lower
/// token. Returns how many were written: the least of k, logits.size(), out.size() and the number
/// of tokens that can be chosen; NaN counts as minus infinity, since a broken draft does not change
/// the text.
///
/// A score is z = logit + temperature * g, with the noise g of the guess's position, for the tokens
/// that the filters keep of the draft's own logits, shifted by the penalties; without coupling, or at temperature 0, z is the
/// logit. If the target's logits are the draft's and independent Gumbel errors of the size `scale`,
/// then the probability of a token, given the noise, is softmax(z / scale): that is `log_prob`. The
/// sum runs over all tokens if there is no noise, else over the best 32, beside which the others
/// hardly count; where the scale is above the temperature, their mean is added.
std::size_t best_candidates(std::span<const float> logits, std::size_t k, const Guess& guess,
                            std::span<Candidate> out);

/// The same for tokens of which a draft knows nothing but their probabilities, best first: their
/// log-probabilities take the place of logits and the temperature is 1. What the probabilities lack
/// of 1 counts as one more token with the mean noise. Unchanged without noise if the scale is 1.
void couple(const Guess& guess, std::vector<Candidate>& candidates);

}  // namespace flowspec
