#pragma once
/// Prompt look-up beside a draft model, in one tree. Plain C++.

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "models/drafts/draft_model.hpp"
#include "models/drafts/prompt_lookup.hpp"

namespace flowspec {

/// Blends a draft model's guesses with those of prompt look-up, for one session:
///
///     p(token) = (1 - w) * p_draft(token) + w * p_lookup(token)
///
/// The weight w is learnt from what the target chooses, by how sure look-up is of its best guess:
/// so a text that repeats itself is guessed from itself, and any other one by the draft alone.
class LookupBeside {
 public:
  LookupBeside() { weights_.fill(first_weight); }

  /// Replaces the candidates that the draft proposed after this row by the best of both. Both
  /// probabilities of each stay with it. The best guess of look-up is always among them, so that
  /// its weight can grow again.
  /// @param candidates  best first, padded with token -1; `by_draft` is set.
  void blend(const DraftRow& row, std::span<Candidate> candidates);

  /// What the draft alone proposed, best first.
  static std::vector<Candidate> by_draft(std::span<const Candidate> proposals);

  /// The target chose a token where these had been proposed: the weight moves towards the share
  /// that look-up had in the token's probability.
  void learn(std::span<const Candidate> proposals, Token chosen);

  /// The weight where look-up gives its best guess this probability.
  double weight(double probability) const { return weights_[kind_of(probability)]; }

 private:
  static constexpr std::size_t kinds = 4;
  static constexpr double first_weight = 0.05;

  static std::size_t kind_of(double probability);
  void merge(const DraftRow& row, std::span<const Candidate> candidates);

  PromptLookup lookup_;
  std::array<double, kinds> weights_;
  // Scratch memory, kept from call to call.
  std::vector<Candidate> found_;
  std::vector<Candidate> merged_;
};

}  // namespace flowspec
