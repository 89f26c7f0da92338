#include "models/ops/packed/kernels.hpp"

#include <atomic>
#include <vector>

namespace flowspec::packed {
namespace {

std::atomic<const KernelSet*>& chosen() {
  static std::atomic<const KernelSet*> kernels = available_kernels().front();
  return kernels;
}

}  // namespace

TypeTiles KernelSet::find(TensorType type) const {
  switch (type) {
    case TensorType::f32:
      return floats.f32;
    case TensorType::f16:
      return floats.f16;
    case TensorType::bf16:
      return floats.bf16;
    case TensorType::q8_0:
    case TensorType::q5_0:
      return blocks.q8_0;
    case TensorType::q4_0:
      return blocks.q4_0;
    case TensorType::q4_1:
      return blocks.q4_1;
    case TensorType::q5_1:
      return blocks.q5_1;
    case TensorType::q4_k:
      return supers.q4_k;
    case TensorType::q5_k:
      return supers.q5_k;
    case TensorType::q6_k:
      return supers.q6_k;
  }
  return {};
}

std::span<const KernelSet* const> available_kernels() {
  static const auto available = [] {
    std::vector<const KernelSet*> sets;
    for (const KernelSet* set :
         {amx_kernels(), avx512_kernels(), avx_vnni_kernels(), avx2_kernels(), neon_i8mm_kernels(),
          neon_dot_kernels(), neon_kernels(), plain_kernels()})
      if (set != nullptr)
        sets.push_back(set);
    return sets;
  }();
  return available;
}

void use_kernels(const KernelSet& kernels) {
  chosen() = &kernels;
}

const KernelSet& kernels_in_use() {
  return *chosen();
}

}  // namespace flowspec::packed
