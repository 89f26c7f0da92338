// Attention in plain C++, for CPUs that cannot expand halves. Without FMA it calls the C library's
// fma, which is slow.
#define FLOWSPEC_TARGET
#include "models/ops/attention_loops.hpp"

namespace flowspec::kernels {
namespace {

struct F16Row : CommonVectors {
  using Value = Half;
  using CommonVectors::load;
  FLOWSPEC_PART static Vector load(const Half* from) { return simd::load(from); }
};

}  // namespace

const AttentionKernels* plain_attention_kernels() {
  static constexpr AttentionKernels kernels =
      make_attention_kernels<CommonVectors, F16Row>("plain");
  return &kernels;
}

}  // namespace flowspec::kernels
