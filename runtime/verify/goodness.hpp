#pragma once
/// Are sampled texts what the model's own distribution would give? Plain statistics: nothing here
/// knows models or actors.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "models/base/types.hpp"
#include "models/layers/sampler.hpp"

namespace flowspec {

/// What the sampling options make of one row of logits, by token. Written independently of
/// `sample`, which it is to judge.
std::vector<double> token_probabilities(std::span<const float> logits,
                                        const SamplerOptions& options);

/// A kind of outcome: how often it was to be expected, and how often it came.
struct Outcome {
  double expected = 0;
  std::uint64_t observed = 0;
};

/// Fewer expected outcomes than this are too few for the chi-square approximation.
inline constexpr double least_expected = 5;

/// The model's probabilities of the next token after the prompt and these tokens.
using NextToken = std::function<std::vector<double>(std::span<const Token>)>;

/// Sorts texts by their first `length` tokens. A beginning that is to be expected `least_expected`
/// times is split by the token that follows; what remains at each split is one kind. A text may be
/// shorter where it ends with a token that `is_end` knows.
std::vector<Outcome> count_outcomes(std::span<const std::vector<Token>> texts, std::size_t length,
                                    const NextToken& next,
                                    const std::function<bool(Token)>& is_end);

struct ChiSquare {
  double statistic = 0;
  std::uint32_t degrees_of_freedom = 0;
  /// Probability of a statistic at least as large if the outcomes follow the expectation.
  double p_value = 1;
};

/// Pearson's test. Outcomes that are expected too rarely are pooled. What came and cannot come has
/// p-value 0.
ChiSquare chi_square(std::vector<Outcome> outcomes);

/// Upper tail of the chi-square distribution.
double chi_square_tail(double statistic, std::uint32_t degrees_of_freedom);

}  // namespace flowspec
