#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace flowspec {

struct TensorInfo;

/// Root-mean-square normalisation: x / sqrt(mean(x^2) + eps) * weight, row by row.
/// Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.
class RmsNorm {
 public:
  /// @param weight  one value per column, of any supported type.
  RmsNorm(const TensorInfo& weight, float epsilon);

  std::size_t size() const { return weight_.size(); }

  /// `in` and `out`: rows x size; they may be the same memory.
  void apply(std::span<const float> in, std::size_t rows, std::span<float> out) const;

 private:
  std::vector<float> weight_;
  float epsilon_;
};

}  // namespace flowspec
