#pragma once
/// Functions whose bits are part of what a model computes. Those of a C library differ in the last
/// bit from one version to the next, and from CPUs with fused multiply-add to those without; these
/// are made of additions, multiplications and divisions, which are the same everywhere.
///
/// Errors are a few units in the last place. Arguments are finite.

namespace flowspec::portable {

struct SinCos {
  double sin = 0;
  double cos = 1;
};

/// Of an angle in radians; loses precision beyond a million, NaN from 1e15 on.
SinCos sin_cos(double angle);

/// The natural logarithm of x > 0.
double log(double x);

/// e^x where that is neither infinite nor subnormal.
double exp(double x);

/// base^exponent for base > 0.
double pow(double base, double exponent);

}  // namespace flowspec::portable
