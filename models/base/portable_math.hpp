#pragma once
/// Functions whose exact bits decide what a model computes. A C library's functions differ in the
/// last bit between versions, and between CPUs with and without fused multiply-add. These use only
/// additions, multiplications and divisions, which are the same everywhere.
///
/// Errors are a few units in the last place. Arguments are finite.

namespace flowspec::portable {

struct SinCos {
  double sin = 0;
  double cos = 1;
};

/// Sine and cosine of an angle in radians. Loses precision beyond a million; NaN from 1e15 on.
SinCos sin_cos(double angle);

/// The natural logarithm of x > 0.
double log(double x);

/// e^x, for results that are neither infinite nor subnormal.
double exp(double x);

/// base^exponent for base > 0.
double pow(double base, double exponent);

}  // namespace flowspec::portable
