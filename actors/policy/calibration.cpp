#include "actors/policy/calibration.hpp"

#include <algorithm>
#include <cmath>

namespace flowspec {

namespace {

/// Upper ends of the kinds but the last, and a temperature that stands for each.
constexpr std::array<float, Calibration::kinds - 1> ends{0, 0.4F, 0.8F};
constexpr std::array<float, Calibration::kinds> examples{0, 0.3F, 0.6F, 1};

constexpr double least_scale = 0.05;
constexpr double largest_scale = 20;

/// Of one step. After some 200 choices the scale is near its best, from a third or three times it.
constexpr double rate = 0.02;
constexpr double longest_step = 4;

}  // namespace

Calibration::Calibration(const std::function<float(float temperature)>& first) {
  for (std::size_t kind = 0; kind < kinds; ++kind)
    scales_[kind] = first(examples[kind]);
}

void Calibration::resume(const Scales& scales) {
  for (std::size_t kind = 0; kind < kinds; ++kind)
    if (scales[kind] >= least_scale && scales[kind] <= largest_scale)
      scales_[kind] = scales[kind];
}

std::size_t Calibration::kind_of(float temperature) {
  std::size_t kind = 0;
  while (kind < ends.size() && temperature > ends[kind])
    ++kind;
  return kind;
}

float Calibration::scale(float temperature) const {
  return static_cast<float>(scales_[kind_of(temperature)]);
}

void Calibration::learn(float temperature, std::span<const Candidate> proposals, Token chosen) {
  if (proposals.size() < 2)
    return;
  auto found = std::ranges::find(proposals, chosen, &Candidate::token);
  double of_chosen = found != proposals.end() ? found->log_prob : proposals.back().log_prob;
  // Log-probabilities are z / scale less a constant that drops out.
  double best = proposals.front().log_prob;
  double mass = 0;
  double mean = 0;
  for (const Candidate& proposal : proposals) {
    double weight = std::exp(proposal.log_prob - best);
    mass += weight;
    mean += weight * proposal.log_prob;
  }
  double& scale = scales_[kind_of(temperature)];
  double step = std::clamp(of_chosen - mean / mass, -longest_step, longest_step);
  scale = std::clamp(scale * std::exp(-rate * step), least_scale, largest_scale);
  ++choices_;
}

}  // namespace flowspec
