// Attention with FMA and F16C, the instruction that expands halves.
#if defined(__x86_64__)

#include <immintrin.h>

// See packed/avx2.cpp for why this is not a flag of the file.
#define FLOWSPEC_TARGET __attribute__((target("fma,f16c")))
#include "models/ops/attention_loops.hpp"
#include "models/ops/packed/cpu.hpp"

namespace flowspec::kernels {
namespace {

struct F16Row : CommonVectors {
  using Value = Half;
  using CommonVectors::load;
  FLOWSPEC_PART static Vector load(const Half* from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
};

}  // namespace

const AttentionKernels* f16c_attention_kernels() {
  static constexpr AttentionKernels kernels = make_attention_kernels<CommonVectors, F16Row>("f16c");
  static const bool can_run = __builtin_cpu_supports("fma") != 0 && packed::cpu_has_f16c();
  return can_run ? &kernels : nullptr;
}

}  // namespace flowspec::kernels

#else

#include "models/ops/attention_kernels.hpp"

namespace flowspec::kernels {

const AttentionKernels* f16c_attention_kernels() {
  return nullptr;
}

}  // namespace flowspec::kernels

#endif
