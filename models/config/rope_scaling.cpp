#include "models/config/rope_scaling.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

#include "models/base/portable_math.hpp"

namespace flowspec {
namespace {

/// The index (a fraction) of the pair whose frequency turns `turns` times in the original context.
double index_of(double turns, std::uint32_t dims, double base, const RopeScaling& scaling) {
  const double wavelength = scaling.original_context / turns;
  return dims * portable::log(wavelength / (2 * std::numbers::pi)) / (2 * portable::log(base));
}

void apply_yarn(std::vector<double>& frequencies, std::uint32_t dims, double base,
                const RopeScaling& scaling) {
  double low = index_of(scaling.beta_fast, dims, base, scaling);
  double high = index_of(scaling.beta_slow, dims, base, scaling);
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dims - 1.0);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    // The least distance avoids a division by 0 if the bounds are equal.
    const double ramp = (static_cast<double>(i) - low) / std::max(high - low, 0.001);
    const double scaled = std::clamp(ramp, 0.0, 1.0);
    frequencies[i] *= scaled / scaling.factor + (1 - scaled);
  }
}

void apply_llama3(std::vector<double>& frequencies, const RopeScaling& scaling) {
  for (double& frequency : frequencies) {
    const double turns = scaling.original_context * frequency / (2 * std::numbers::pi);
    const double smooth =
        (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
    const double kept = std::clamp(smooth, 0.0, 1.0);
    frequency *= (1 - kept) / scaling.factor + kept;
  }
}

}  // namespace

double yarn_magnitude(double factor) {
  return 0.1 * portable::log(factor) + 1;
}

std::vector<double> rope_frequencies(std::uint32_t dims, double base, const RopeScaling& scaling) {
  assert(scaling.divisors.empty() || scaling.divisors.size() == dims / 2);
  std::vector<double> frequencies(dims / 2);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    frequencies[i] = portable::pow(base, -2.0 * static_cast<double>(i) / dims);
    if (!scaling.divisors.empty())
      frequencies[i] /= static_cast<double>(scaling.divisors[i]);
  }
  switch (scaling.kind) {
    case RopeScalingKind::linear:
      for (double& frequency : frequencies)
        frequency /= scaling.factor;
      break;
    case RopeScalingKind::yarn:
      apply_yarn(frequencies, dims, base, scaling);
      break;
    case RopeScalingKind::llama3:
      apply_llama3(frequencies, scaling);
      break;
  }
  return frequencies;
}

}  // namespace flowspec
