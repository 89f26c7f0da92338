#pragma once

#include <memory>
#include <vector>

#include "models/drafts/draft_model.hpp"

namespace flowspec::test {

/// A draft without weights that knows the text and proposes as much of it as a test wants, so that
/// hits and misses come where the test needs them.
class OracleDraft : public DraftModel {
 public:
  struct Skill {
    /// Fraction of positions where the right token is the first choice, and where it is among the
    /// other choices. At all others it is missing.
    double first = 0.6;
    double other = 0.25;
  };

  /// `text`: the prompt and its continuation. `seed` decides where the draft is right.
  /// `feature_size`: size of the target's hidden states that the draft asks for; where it gets them
  /// it guesses differently; 0: it asks for none.
  OracleDraft(std::vector<Token> text, Token vocab_size, std::uint64_t seed, Skill skill,
              std::uint32_t feature_size = 0);
  /// It asks for these hidden states instead of the last, each of `feature_size`.
  void set_taps(std::vector<std::uint32_t> taps) { taps_ = std::move(taps); }

  std::uint32_t feature_size() const override { return feature_size_; }
  std::span<const std::uint32_t> taps() const override { return taps_; }
  std::uint32_t tap_size() const override { return taps_.empty() ? 0 : feature_size_; }
  /// The feature is the sum.
  void read_taps(std::span<const float> values, std::size_t rows,
                 std::span<float> features) override;
  std::uint32_t max_rows() const override { return 64; }
  void forward(std::span<const DraftRow> rows, std::span<const float> features_in,
               std::uint32_t top_k, std::span<Candidate> candidates,
               std::span<float> features_out) override;

 private:
  void propose(const DraftRow& row, bool informed, std::span<Candidate> out) const;

  std::vector<Token> text_;
  Token vocab_size_;
  std::uint64_t seed_;
  Skill skill_;
  std::uint32_t feature_size_;
  std::vector<std::uint32_t> taps_;
};

}  // namespace flowspec::test
