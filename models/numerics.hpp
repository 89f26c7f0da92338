#pragma once

#include <string>

namespace flowspec {

/// Names the kernels that this process computes with, for quantised and for other weights, for
/// instance "int8-1+f32/onednn-2.6.3/avx512". Two processes with one id compute the same bits, so
/// nodes of a cluster compare it.
std::string numerics_id();

}  // namespace flowspec
