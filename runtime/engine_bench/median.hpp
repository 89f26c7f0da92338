#pragma once

#include <algorithm>
#include <vector>

namespace flowspec {

/// The middle of the sorted values, or the mean of the two in the middle; 0 if there are none.
inline double median_of(std::vector<double> values) {
  if (values.empty())
    return 0;
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace flowspec
