// Attention with NEON's instruction that expands halves.
#if defined(__aarch64__)

#include <arm_neon.h>

#define FLOWSPEC_TARGET
#include "models/ops/attention_loops.hpp"

namespace flowspec::kernels {
namespace {

/// Compilers keep vectors that are longer than a register in memory.
struct NeonVectors {
  struct Vector {
    float32x4_t low;
    float32x4_t high;
  };
  FLOWSPEC_PART static Vector load(const float* from) {
    return {vld1q_f32(from), vld1q_f32(from + 4)};
  }
  FLOWSPEC_PART static void store(float* to, const Vector& v) {
    vst1q_f32(to, v.low);
    vst1q_f32(to + 4, v.high);
  }
  FLOWSPEC_PART static Vector fill(float x) { return {vdupq_n_f32(x), vdupq_n_f32(x)}; }
  FLOWSPEC_PART static Vector fma(const Vector& a, const Vector& b, const Vector& c) {
    return {vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
  }
  /// The tree of additions of simd::transposed_sums.
  FLOWSPEC_PART static Vector scaled_sums(const Vector (&v)[lanes], float scale) {
    const float32x4_t first = vaddq_f32(sums(v[0].low, v[1].low, v[2].low, v[3].low),
                                        sums(v[0].high, v[1].high, v[2].high, v[3].high));
    const float32x4_t second = vaddq_f32(sums(v[4].low, v[5].low, v[6].low, v[7].low),
                                         sums(v[4].high, v[5].high, v[6].high, v[7].high));
    return {vmulq_n_f32(first, scale), vmulq_n_f32(second, scale)};
  }

 private:
  /// (0+2)+(1+3) of each.
  FLOWSPEC_PART static float32x4_t sums(float32x4_t a, float32x4_t b, float32x4_t c,
                                        float32x4_t d) {
    return vpaddq_f32(halved(a, b), halved(c, d));
  }
  /// 0+2 and 1+3 of each.
  FLOWSPEC_PART static float32x4_t halved(float32x4_t a, float32x4_t b) {
    const float64x2_t first = vreinterpretq_f64_f32(a);
    const float64x2_t second = vreinterpretq_f64_f32(b);
    return vaddq_f32(vreinterpretq_f32_f64(vzip1q_f64(first, second)),
                     vreinterpretq_f32_f64(vzip2q_f64(first, second)));
  }
};

struct F16Row : NeonVectors {
  using Value = Half;
  using NeonVectors::load;
  FLOWSPEC_PART static Vector load(const Half* from) {
    const float16x8_t halves =
        vreinterpretq_f16_u16(vld1q_u16(reinterpret_cast<const std::uint16_t*>(from)));
    return {vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)};
  }
};

}  // namespace

const AttentionKernels* neon_attention_kernels() {
  static constexpr AttentionKernels kernels = make_attention_kernels<NeonVectors, F16Row>("neon");
  return &kernels;
}

}  // namespace flowspec::kernels

#else

#include "models/ops/attention_kernels.hpp"

namespace flowspec::kernels {

const AttentionKernels* neon_attention_kernels() {
  return nullptr;
}

}  // namespace flowspec::kernels

#endif
