#pragma once

#include <vector>

#include "models/config/config.hpp"
#include "models/formats/model_files.hpp"

namespace flowspec::test {

/// Largest difference, relative to the largest reference value.
double relative_error(const std::vector<float>& actual, const std::vector<double>& expected);

/// The largest of all rows.
struct ReferenceErrors {
  double hidden = 0;
  double logits = 0;
};

/// What floats may differ from the reference where weights are floats.
inline constexpr double float_bound = 3e-6;

/// Computes a random tree in segments and compares every node with the `ReferenceModel`, which
/// computes the node's path alone.
/// @param stem  length of the tree's beginning, in tokens: how far positions go.
ReferenceErrors compare_with_reference(const ModelFiles& files, const ModelConfig& config,
                                       std::size_t stem = 9);

}  // namespace flowspec::test
