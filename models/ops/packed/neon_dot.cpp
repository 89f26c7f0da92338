// NEON with the dot product instruction, for CPUs since Cortex-A55 and A75.
#include "models/ops/packed/cpu.hpp"
#include "models/ops/packed/kernels.hpp"

#if defined(FLOWSPEC_ARM_EXTENSIONS)

// All CPUs that have the instruction have the rest of ARMv8.2 too.
#define FLOWSPEC_TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#include "models/ops/packed/neon_loops.hpp"

namespace flowspec::packed {
namespace {

struct Dot {
  static constexpr std::size_t rows = 1;
  static constexpr std::size_t registers = 1;
  using Weights = Quad;
  using X = int8x16_t;
  using Small = int32x4_t;
  using Full = int32x4_t;

  FLOWSPEC_PART static const Quad& prepare(const Quad& quad) { return quad; }
  FLOWSPEC_PART static X load(const std::int8_t* row, const std::int8_t* /*last*/) {
    return vld1q_s8(row);
  }
  FLOWSPEC_PART static void clear(int32x4_t& sum) { sum = vdupq_n_s32(0); }
  FLOWSPEC_PART static void add(int32x4_t& sum, const Quad& w, X x) {
    sum = vdotq_laneq_s32(sum, w.groups[0], x, 0);
    sum = vdotq_laneq_s32(sum, w.groups[1], x, 1);
    sum = vdotq_laneq_s32(sum, w.groups[2], x, 2);
    sum = vdotq_laneq_s32(sum, w.groups[3], x, 3);
  }
  FLOWSPEC_PART static void total(int32x4_t sum, int32x4_t* to) { *to = sum; }
};

template <Legacy type>
constexpr Tile tiles[] = {legacy<Dot, type, 1>, legacy<Dot, type, 2>, legacy<Dot, type, 3>,
                          legacy<Dot, type, 4>, legacy<Dot, type, 5>, legacy<Dot, type, 6>};

template <bool has_high_bits>
constexpr Tile nibble_tiles[] = {nibbles<Dot, has_high_bits, 1>, nibbles<Dot, has_high_bits, 2>,
                                 nibbles<Dot, has_high_bits, 3>, nibbles<Dot, has_high_bits, 4>};

constexpr Tile q6_k_tiles[] = {q6_k<Dot, 1>, q6_k<Dot, 2>, q6_k<Dot, 3>, q6_k<Dot, 4>};

}  // namespace

const KernelSet* neon_dot_kernels() {
  static const KernelSet set{
      "neon-dotprod",
      neon_float_tiles(),
      {{tiles<Legacy::q8_0>}, {tiles<Legacy::q4_0>}, {tiles<Legacy::q4_1>}, {tiles<Legacy::q5_1>}},
      {{nibble_tiles<false>}, {nibble_tiles<true>}, {q6_k_tiles}}};
  return cpu_has_dot_product() ? &set : nullptr;
}

}  // namespace flowspec::packed

#else

namespace flowspec::packed {
const KernelSet* neon_dot_kernels() {
  return nullptr;
}
}  // namespace flowspec::packed

#endif
