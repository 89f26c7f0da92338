#pragma once
/// What the plain references of draft heads compute with, in double precision.

#include <cstddef>
#include <vector>

namespace flowspec::test {

/// y[o] = sum over i of w[o][i] x[i]
inline std::vector<double> product(const std::vector<double>& w, const std::vector<double>& x) {
  std::vector<double> y(w.size() / x.size(), 0.0);
  for (std::size_t o = 0; o < y.size(); ++o)
    for (std::size_t i = 0; i < x.size(); ++i)
      y[o] += w[o * x.size() + i] * x[i];
  return y;
}

inline void add(std::vector<double>& x, const std::vector<double>& y) {
  for (std::size_t i = 0; i < y.size(); ++i)
    x[i] += y[i];
}

}  // namespace flowspec::test
