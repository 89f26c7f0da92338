#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "models/base/types.hpp"

namespace flowspec {

/// A token and its logit.
struct RankedToken {
  float logit = -std::numeric_limits<float>::infinity();
  Token token = 0;

  friend bool operator==(const RankedToken&, const RankedToken&) = default;
};

/// The order of tokens everywhere: larger logit first, then lower token.
constexpr bool comes_first(const RankedToken& a, const RankedToken& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

/// One row of logits, with the largest of every block of `noise_block` tokens: what is looked for
/// is mostly in few blocks. NaN counts as minus infinity. The logits have to stay as they are.
class LogitRow {
 public:
  explicit LogitRow(std::span<const float> logits);

  std::span<const float> logits() const { return logits_; }
  /// The tokens of one block.
  std::span<const float> block(std::size_t index) const;
  std::span<const float> block_maxima() const { return maxima_; }
  /// The first of the largest; minus infinity and token 0 if there is none.
  RankedToken best() const { return best_; }
  /// Neither NaN nor infinities.
  bool is_finite() const { return finite_; }

  /// The tokens with a logit of at least `least`, in order of token. Minus infinity is never among
  /// them.
  std::vector<RankedToken> at_least(float least) const;
  /// The `count` that come first, in order; fewer if there are fewer above minus infinity.
  std::vector<RankedToken> first(std::size_t count) const;
  /// Sum of exp((logit - largest) * factor), for a factor above 0: every term with a relative error
  /// of about 1e-6, blocks summed in double, the same on every machine.
  double sum_of_exp(double factor) const;
  /// The same, of the tokens that come before this one.
  double sum_of_exp(double factor, const RankedToken& before) const;

 private:
  std::span<const float> logits_;
  std::vector<float> maxima_;
  RankedToken best_;
  bool finite_ = true;
};

}  // namespace flowspec
