#pragma once
/// Tests whether sampled texts follow the model's own distribution. Plain statistics: nothing here
/// knows models or actors.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "models/base/types.hpp"
#include "models/sampling/filters.hpp"

namespace flowspec {

/// The probability of each token after the sampling options are applied to one row of logits, which
/// follow `prompt` and `answer`. Written independently of `TextSampler`, which it tests.
std::vector<double> token_probabilities(std::span<const float> logits,
                                        const SamplerOptions& options,
                                        std::span<const Token> prompt = {},
                                        std::span<const Token> answer = {});

/// A kind of outcome: its expected count, and how often it was observed.
struct Outcome {
  double expected = 0;
  std::uint64_t observed = 0;
};

/// An expected count below this is too small for the chi-square approximation.
inline constexpr double least_expected = 5;

/// The model's probabilities of the token that follows the prompt and these tokens.
using NextToken = std::function<std::vector<double>(std::span<const Token>)>;

/// Groups texts by their first `length` tokens. A prefix with an expected count of at least
/// `least_expected` is split by the next token; the rest of each split is one outcome. A text may
/// be shorter if it ends with a token for which `is_end` is true.
std::vector<Outcome> count_outcomes(std::span<const std::vector<Token>> texts, std::size_t length,
                                    const NextToken& next,
                                    const std::function<bool(Token)>& is_end);

struct ChiSquare {
  double statistic = 0;
  std::uint32_t degrees_of_freedom = 0;
  /// Probability of a statistic at least as large if the outcomes follow the expectation.
  double p_value = 1;
};

/// Pearson's test. Outcomes with a low expected count are pooled. An observed outcome that is
/// impossible makes the p-value 0.
ChiSquare chi_square(std::vector<Outcome> outcomes);

/// Upper tail of the chi-square distribution.
double chi_square_tail(double statistic, std::uint32_t degrees_of_freedom);

}  // namespace flowspec
