#include "models/ops/attention_kernels.hpp"

#include <vector>

namespace flowspec::kernels {

std::span<const AttentionKernels* const> available_attention_kernels() {
  static const auto available = [] {
    std::vector<const AttentionKernels*> sets;
    for (const AttentionKernels* set :
         {f16c_attention_kernels(), neon_attention_kernels(), plain_attention_kernels()})
      if (set != nullptr)
        sets.push_back(set);
    return sets;
  }();
  return available;
}

}  // namespace flowspec::kernels
