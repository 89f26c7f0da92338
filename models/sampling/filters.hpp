#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/sampling/logit_row.hpp"

namespace flowspec {

/// Bounds of the options.
inline constexpr float most_penalty = 100;
inline constexpr std::size_t most_biases = 1024;
inline constexpr std::uint32_t most_logprobs = 64;

/// Added to a token's logit.
struct TokenBias {
  Token token = 0;
  float bias = 0;

  friend bool operator==(const TokenBias&, const TokenBias&) = default;
};

/// How the next token is chosen. `penalties.hpp` says what the penalties do.
struct SamplerOptions {
  /// 0: always the most likely token (greedy).
  float temperature = 0;
  /// Choose among the `top_k` most likely tokens; 0: among all.
  std::uint32_t top_k = 0;
  /// Choose among the most likely tokens that together have this probability; 1: among all.
  float top_p = 1;
  std::uint64_t seed = 0;
  /// Choose among the tokens that are at least `min_p` times as likely as the most likely one; 0:
  /// among all.
  float min_p = 0;
  /// For tokens of the text so far, prompt and answer; 1: none.
  float repetition_penalty = 1;
  /// For tokens of the answer so far: for each time that the token is there, and once if it is.
  float frequency_penalty = 0;
  float presence_penalty = 0;
  /// Rising tokens.
  std::vector<TokenBias> logit_bias{};
  /// 0: no log-probabilities are wanted; n: those of the chosen token, and of the n - 1 likeliest.
  std::uint32_t logprobs = 0;

  friend bool operator==(const SamplerOptions&, const SamplerOptions&) = default;
};

/// What is wrong with the options, for the user; nothing if they are fine.
/// @param vocab_size  0: not known, so that a biased token may be beyond the vocabulary.
std::optional<std::string> find_problem(const SamplerOptions& options, std::size_t vocab_size = 0);

/// The tokens of one row among which one is chosen, for temperatures above 0 and a row with a finite
/// best logit.
///
/// In this order: keep the `top_k` that come first (see `comes_first`); turn logit / temperature
/// into probabilities; keep the shortest prefix, from the most likely down, whose probability
/// reaches `top_p`; keep those that have at least `min_p` times the probability of the first. So
/// what is kept is a prefix of the tokens in order, and never empty.
class Filter {
 public:
  Filter(const LogitRow& row, const SamplerOptions& options);

  /// What comes after it is not kept.
  const RankedToken& last() const { return last_; }
  /// Whether a token that does not come after `last` is kept. Takes a pass over the row for `top_p`
  /// without `top_k`: to sort a whole vocabulary would take far longer.
  bool keeps(const RankedToken& token);
  /// To be called if a token is not kept: `last` is then one that comes before it.
  void cut_before(const RankedToken& token) { last_ = {token.logit, token.token - 1}; }

 private:
  const LogitRow& row_;
  double temperature_;
  RankedToken last_;
  /// 1: no limit, or `last` has it already.
  double top_p_ = 1;
  /// Weight that the shortest prefix has to reach, exp(0) being that of the first; 0: not yet known.
  double nucleus_ = 0;
};

}  // namespace flowspec
