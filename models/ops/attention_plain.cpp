// Attention in plain C++, for CPUs that cannot expand halves. Without FMA it calls the C library's
// fma, which is slow.
#define FLOWSPEC_TARGET
#include "models/ops/attention_loops.hpp"

namespace flowspec::kernels {
namespace {

struct F16Row {
  using Value = Half;
  FLOWSPEC_PART static Float8 load(const Half* from) { return simd::load(from); }
};

}  // namespace

const AttentionKernels* plain_attention_kernels() {
  static constexpr AttentionKernels kernels = make_attention_kernels<F16Row>("plain");
  return &kernels;
}

}  // namespace flowspec::kernels
