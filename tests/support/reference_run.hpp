#pragma once

#include <vector>

#include "models/config/config.hpp"
#include "models/formats/model_files.hpp"

namespace flowspec::test {

/// Largest difference, relative to the largest reference value.
double relative_error(const std::vector<float>& actual, const std::vector<double>& expected);

/// The largest errors of all rows.
struct ReferenceErrors {
  double hidden = 0;
  double logits = 0;
};

/// Largest error against the reference that is allowed with float weights.
inline constexpr double float_bound = 3e-6;

/// Computes a random tree in segments and compares every node with the `ReferenceModel`, which
/// computes the node's path alone.
/// @param stem  length of the chain at the tree's start, in tokens; sets how large positions
///              become.
ReferenceErrors compare_with_reference(const ModelFiles& files, const ModelConfig& config,
                                       std::size_t stem = 9);

}  // namespace flowspec::test
