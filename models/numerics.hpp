#pragma once

#include <string>

namespace flowspec {

/// Names what this process computes with: the version of our own kernels, whose bits are the same
/// on every CPU, and oneDNN's where it multiplies by float32 weights, for instance "flowspec-1" or
/// "flowspec-1+f32/onednn-2.6.3/avx512". Two processes with one id compute the same bits, so nodes
/// of a cluster compare it.
std::string numerics_id();

}  // namespace flowspec
