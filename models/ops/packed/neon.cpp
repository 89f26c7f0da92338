// NEON as every ARMv8-A has it: products of bytes are 16 bits, which are added in pairs.
#include "models/ops/packed/kernels.hpp"

#if defined(__aarch64__)

#define FLOWSPEC_TARGET
#include "models/ops/packed/neon_loops.hpp"

namespace flowspec::packed {
namespace {

struct Multiply {
  static constexpr std::size_t rows = 1;
  static constexpr std::size_t registers = 2;
  using Weights = Quad;
  using X = int8x16_t;

  /// 16-bit sums, two of each output: each of 8 products of at most 32 * 127 or 4 of 63 * 127.
  struct Small {
    int16x8_t first;
    int16x8_t second;
  };
  struct Full {
    int32x4_t first;
    int32x4_t second;
  };

  FLOWSPEC_PART static const Quad& prepare(const Quad& quad) { return quad; }
  FLOWSPEC_PART static X load(const std::int8_t* row, const std::int8_t* /*last*/) {
    return vld1q_s8(row);
  }
  FLOWSPEC_PART static void clear(Small& sum) { sum.first = sum.second = vdupq_n_s16(0); }
  FLOWSPEC_PART static void clear(Full& sum) { sum.first = sum.second = vdupq_n_s32(0); }

  FLOWSPEC_PART static void add(Small& sum, const Quad& w, X x) {
    add_group(sum, w.groups[0], spread<0>(x));
    add_group(sum, w.groups[1], spread<1>(x));
    add_group(sum, w.groups[2], spread<2>(x));
    add_group(sum, w.groups[3], spread<3>(x));
  }
  // Two products of at most 128 * 127 fit 16 bits.
  FLOWSPEC_PART static void add(Full& sum, const Quad& w, X x) {
    Small two;
    clear(two);
    add_group(two, w.groups[0], spread<0>(x));
    add_group(two, w.groups[1], spread<1>(x));
    widen(sum, two);
    clear(two);
    add_group(two, w.groups[2], spread<2>(x));
    add_group(two, w.groups[3], spread<3>(x));
    widen(sum, two);
  }

  FLOWSPEC_PART static void total(const Full& sum, int32x4_t* to) {
    *to = vpaddq_s32(sum.first, sum.second);
  }
  FLOWSPEC_PART static void total(const Small& sum, int32x4_t* to) {
    *to = vpaddq_s32(vpaddlq_s16(sum.first), vpaddlq_s16(sum.second));
  }

 private:
  /// The same four inputs for every output.
  template <int group>
  FLOWSPEC_PART static int8x16_t spread(X x) {
    return vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(x), group));
  }
  FLOWSPEC_PART static void add_group(Small& sum, int8x16_t w, int8x16_t x) {
    sum.first = vmlal_s8(sum.first, vget_low_s8(w), vget_low_s8(x));
    sum.second = vmlal_high_s8(sum.second, w, x);
  }
  FLOWSPEC_PART static void widen(Full& sum, const Small& two) {
    sum.first = vpadalq_s16(sum.first, two.first);
    sum.second = vpadalq_s16(sum.second, two.second);
  }
};

template <Legacy type>
constexpr Tile tiles[] = {legacy<Multiply, type, 1>, legacy<Multiply, type, 2>,
                          legacy<Multiply, type, 3>, legacy<Multiply, type, 4>};

template <bool has_high_bits>
constexpr Tile nibble_tiles[] = {
    nibbles<Multiply, has_high_bits, 1>, nibbles<Multiply, has_high_bits, 2>,
    nibbles<Multiply, has_high_bits, 3>, nibbles<Multiply, has_high_bits, 4>};

constexpr Tile q6_k_tiles[] = {q6_k<Multiply, 1>, q6_k<Multiply, 2>, q6_k<Multiply, 3>,
                               q6_k<Multiply, 4>};

}  // namespace

const KernelSet* neon_kernels() {
  static const KernelSet set{
      "neon",
      neon_float_tiles(),
      {{tiles<Legacy::q8_0>}, {tiles<Legacy::q4_0>}, {tiles<Legacy::q4_1>}, {tiles<Legacy::q5_1>}},
      {{nibble_tiles<false>}, {nibble_tiles<true>}, {q6_k_tiles}}};
  return &set;
}

}  // namespace flowspec::packed

#else

namespace flowspec::packed {
const KernelSet* neon_kernels() {
  return nullptr;
}
}  // namespace flowspec::packed

#endif
