#pragma once

#include <string>
#include <vector>

namespace flowspec {

/// Remembers that this process multiplies by this kernel of oneDNN. Thread-safe, as the next one.
void note_dnnl_kernel(const std::string& name);
/// Names of all of them, for instance "brg:avx512_core_amx_bf16", in the order of the alphabet.
std::vector<std::string> dnnl_kernels_in_use();

}  // namespace flowspec
