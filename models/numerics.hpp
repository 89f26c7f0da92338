#pragma once

#include <string>

namespace flowspec {

/// Names the weight type and the kernels that this process computes with, for instance
/// "f32/onednn-2.6.3/avx512". Two processes with one id compute the same bits, so nodes of a
/// cluster compare it.
std::string numerics_id();

}  // namespace flowspec
