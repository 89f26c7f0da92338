#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "models/sampling/candidates.hpp"

namespace flowspec {

/// The tokens that a draft computes logits for: all of the target's, or some of them. The target
/// alone can choose the others.
class DraftVocabulary {
 public:
  /// @param tokens       the target's token for each logit, no two equal; empty: logit i is that of
  ///                     token i.
  /// @param target_size  how many tokens the target has.
  DraftVocabulary(std::vector<Token> tokens, std::size_t target_size);

  /// Logits of a row.
  std::size_t size() const { return tokens_.empty() ? target_size_ : tokens_.size(); }
  std::size_t target_size() const { return target_size_; }

  /// `best_candidates`, named as the target does: its noise goes by these names.
  std::size_t choose(std::span<const float> logits, std::size_t k, const Guess& guess,
                     std::span<Candidate> out);

 private:
  std::vector<Token> tokens_;
  std::size_t target_size_;
  /// Of the last row, by the target's tokens; of the tokens that are missing minus infinity.
  std::vector<float> target_logits_;
};

/// Reads a list of tokens: one number a line; what follows a # is a comment, and empty lines are
/// skipped. Returns them in rising order. Throws ModelError, which names file and line, if there is
/// none, or if a line has no number below `vocab_size`, or one that was there before.
std::vector<Token> read_token_list(const std::filesystem::path& file, std::size_t vocab_size);

}  // namespace flowspec
