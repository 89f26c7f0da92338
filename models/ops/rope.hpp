#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/base/types.hpp"
#include "models/config/rope_scaling.hpp"

namespace flowspec {

/// Rotary position embedding: at position p, pair i is rotated by p * frequency i of
/// `rope_frequencies`. Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding",
/// 2021.
class Rope {
 public:
  /// @param dims  leading components of each head that are rotated; the others are copied. Even.
  Rope(std::uint32_t head_dim, std::uint32_t dims, double base, RopeLayout layout,
       const RopeScaling& scaling = {});

  /// Computes the angles of all positions below `count`; the table only grows.
  void prepare(std::size_t count);

  /// Rotates `heads` heads of one row. The heads of `in` are head_dim apart, those of `out`
  /// `stride` apart; the gaps are set to zero. `position` must be prepared.
  void rotate(const float* in, std::size_t heads, Position position, std::size_t stride,
              float* out) const;

 private:
  std::uint32_t head_dim_;
  std::uint32_t dims_;
  RopeLayout layout_;
  std::vector<double> frequencies_;
  double magnitude_;
  // positions x dims / 2
  std::vector<float> cosines_;
  std::vector<float> sines_;
};

}  // namespace flowspec
