#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "models/sampling/filters.hpp"
#include "models/sampling/penalties.hpp"

namespace flowspec {

/// A chosen token, and how likely it was.
struct Choice {
  /// A token and the natural logarithm of its probability.
  struct Likely {
    Token token = 0;
    float logprob = 0;

    friend bool operator==(const Likely&, const Likely&) = default;
  };
  Token token = 0;
  /// If they are wanted: of the chosen token, and of the likeliest, best first. They are those of the
  /// softmax of the model's own logits, at temperature 1, before penalties, biases and filters, as
  /// vLLM tells them by default (`raw_logprobs`); relative errors of the probabilities are about 1e-6.
  float logprob = 0;
  std::vector<Likely> top{};

  friend bool operator==(const Choice&, const Choice&) = default;
};

/// Chooses the tokens of one text, or of a tree of texts that begin alike.
class TextSampler {
 public:
  /// @param answer_begin  see `Penalties`.
  TextSampler(SamplerOptions options, Position answer_begin);
  TextSampler() : TextSampler(SamplerOptions{}, 0) {}

  const SamplerOptions& options() const { return options_; }
  /// `choose` needs the text.
  bool reads_text() const { return penalties_.any(); }
  /// The text that all calls have in common is this one; it begins with what it was before.
  void follow(std::span<const Token> text) { penalties_.follow(text); }

  /// The token for `position`, like `sample`. The result depends only on the options, the logits, the
  /// position, and the text before it: the common one and then `path`.
  /// @param logits  the model's own, which may be changed.
  Choice choose(std::span<float> logits, std::span<const Token> path, Position position) const;

 private:
  SamplerOptions options_;
  Penalties penalties_;
};

}  // namespace flowspec
