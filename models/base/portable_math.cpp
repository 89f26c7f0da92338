#include "models/base/portable_math.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

namespace flowspec::portable {
namespace {

// ln 2 and pi / 2 in parts (Cody and Waite): the upper parts have so few bits that their products
// with the integers below are exact.
constexpr double ln2_high = 6.93147180369123816490e-01;
constexpr double ln2_low = 1.90821492927058770002e-10;
constexpr double half_pi_high = 1.57079632673412561417e+00;
constexpr double half_pi_middle = 6.07710050630396597660e-11;
constexpr double half_pi_low = 2.02226624879595063154e-21;

double nearest(double x) {
  return std::floor(x + 0.5);
}

/// 1 + x / a (1 + x / b (1 + ...)), where a, b, ... are (first + 1)(first + 2), (first + 3) ...:
/// Taylor's series of sine (first 1) and cosine (first 0) for x = -r^2.
double alternating_series(double x, int first) {
  double sum = 1;
  for (int n = first + 17; n > first; n -= 2)
    sum = 1 + x / (n * (n + 1)) * sum;
  return sum;
}

}  // namespace

SinCos sin_cos(double angle) {
  if (!(std::abs(angle) < 1e15))
    return {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::quiet_NaN()};
  const double quarters = nearest(angle * (2 * std::numbers::inv_pi));
  const double r =
      ((angle - quarters * half_pi_high) - quarters * half_pi_middle) - quarters * half_pi_low;
  const double sine = r * alternating_series(-r * r, 1);
  const double cosine = alternating_series(-r * r, 0);
  switch (static_cast<std::int64_t>(quarters) & 3) {
    case 0:
      return {sine, cosine};
    case 1:
      return {cosine, -sine};
    case 2:
      return {-sine, -cosine};
    default:
      return {-cosine, sine};
  }
}

double log(double x) {
  int power = 0;
  double fraction = std::frexp(x, &power);
  if (fraction < std::numbers::sqrt2 / 2) {
    fraction *= 2;
    --power;
  }
  // ln f = 2 (s + s^3 / 3 + s^5 / 5 + ...) for s = (f - 1) / (f + 1), |s| < 0.18
  const double s = (fraction - 1) / (fraction + 1);
  double sum = 0;
  for (int n = 25; n > 1; n -= 2)
    sum = (sum + 1.0 / n) * (s * s);
  return power * ln2_high + (power * ln2_low + (2 * s + 2 * s * sum));
}

double exp(double x) {
  const double whole = nearest(x * std::numbers::log2e);
  const double r = (x - whole * ln2_high) - whole * ln2_low;
  double sum = 1;
  for (int n = 15; n > 0; --n)
    sum = 1 + r / n * sum;
  return std::ldexp(sum, static_cast<int>(whole));
}

double pow(double base, double exponent) {
  return exp(exponent * log(base));
}

}  // namespace flowspec::portable
