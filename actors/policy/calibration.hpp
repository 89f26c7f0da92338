#pragma once
/// How far a draft's logits are from the target's, learnt from what the target chose. Plain C++.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "models/sampling/candidates.hpp"

namespace flowspec {

/// The scale of a draft's guesses (`Guess::scale`), for each kind of choice: greedy ones, and ones
/// at low, middle and high temperatures, since a draft is off by more where chance has more say.
class Calibration {
 public:
  /// Temperature 0; up to 0.4; up to 0.8; above.
  static constexpr std::size_t kinds = 4;
  using Scales = std::array<double, kinds>;

  /// @param first  the scale to begin with, by temperature.
  explicit Calibration(const std::function<float(float temperature)>& first);
  /// Goes on with what was learnt before. Values that are no sensible scales are left out.
  void resume(const Scales& scales);

  float scale(float temperature) const;
  const Scales& scales() const { return scales_; }
  /// Choices that it has learnt from.
  std::uint64_t choices() const { return choices_; }

  /// The target chose a token where the draft had proposed these. A step of steepest ascent on the
  /// log-likelihood of the choice among the proposals, ln softmax(z / scale), in ln(scale); if the
  /// token is not among them, the last one counts as chosen.
  void learn(float temperature, std::span<const Candidate> proposals, Token chosen);

 private:
  static std::size_t kind_of(float temperature);

  Scales scales_{};
  std::uint64_t choices_ = 0;
};

}  // namespace flowspec
