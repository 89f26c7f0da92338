#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "models/sampling/filters.hpp"

namespace flowspec {

/// Shifts logits by what is in the text before them, ahead of temperature and filters, for greedy
/// choices too. The text is prompt and answer; for a token that is in it `count` times in the answer:
///
///   1. repetition penalty p, if the token is in the text: logit > 0 ? logit / p : logit * p
///      (Keskar et al., CTRL, 2019, in the form of transformers' RepetitionPenaltyLogitsProcessor)
///   2. frequency penalty f and presence penalty q, if count > 0: logit - count * f - q
///      (OpenAI's API reference)
///   3. the token's bias is added
///
/// in this order, in float, for each token from the model's own logit; so the bits do not depend on
/// how the text has been told. A result beyond the largest finite float is that float. What was NaN
/// or infinite stays so: the model is broken. All other logits stay as they are.
///
/// Most of a text is told once, with `append`, and counted; the rest, which is another one for each
/// row of a tree, at each call.
class Penalties {
 public:
  /// @param answer_begin  position of the answer's first token: what is before it is the prompt.
  Penalties(const SamplerOptions& options, Position answer_begin);
  Penalties() : Penalties(SamplerOptions{}, 0) {}

  /// There is something to shift; else nothing is counted either.
  bool any() const { return any_; }
  /// Tokens told so far.
  std::size_t size() const { return size_; }
  /// The text goes on with these.
  void append(std::span<const Token> tokens);
  /// The text is this one, which begins with all that has been told: what is missing is appended.
  void follow(std::span<const Token> text) { append(text.subspan(size_)); }

  /// Shifts the logits of the token after the text told so far and then `path`.
  void apply(std::span<float> logits, std::span<const Token> path) const;

 private:
  struct Shift {
    Token token = 0;
    bool in_text = false;
    std::uint32_t in_answer = 0;
    float bias = 0;
  };

  Shift find(Token token) const;
  void count(Shift& shift, bool in_answer) const;
  float shifted(float logit, const Shift& shift) const;

  float repetition_;
  float frequency_;
  float presence_;
  Position answer_begin_;
  bool any_ = false;
  std::size_t size_ = 0;
  /// Those that change something, in no order that matters.
  std::vector<Shift> shifts_;
  std::unordered_map<Token, std::size_t> places_;
};

}  // namespace flowspec
