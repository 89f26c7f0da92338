// NEON with the matrix instruction for bytes (i8mm): two outputs times two rows, eight inputs at a
// time. Its operands have to be put together from the panel's groups, which pays from four rows on.
#include "models/ops/packed/cpu.hpp"
#include "models/ops/packed/kernels.hpp"

#if defined(FLOWSPEC_ARM_EXTENSIONS)

#include <array>

#define FLOWSPEC_TARGET __attribute__((target("arch=armv8.2-a+dotprod+i8mm")))
#include "models/ops/packed/neon_loops.hpp"

namespace flowspec::packed {
namespace {

struct MatrixMultiply {
  static constexpr std::size_t rows = 2;
  static constexpr std::size_t registers = 2;

  /// Of inputs 0 to 7 (`near`) and 8 to 15 (`far`): outputs 0 and 1, outputs 2 and 3.
  struct Weights {
    int8x16_t near[2];
    int8x16_t far[2];
  };
  /// The same inputs of two rows.
  struct X {
    int8x16_t near;
    int8x16_t far;
  };
  /// Two outputs in each: an output's first row, its second, then those of the next output.
  struct Small {
    int32x4_t first;
    int32x4_t second;
  };
  using Full = Small;

  FLOWSPEC_PART static Weights prepare(const Quad& quad) {
    const auto pair = [&](std::size_t g) { return vreinterpretq_s32_s8(quad.groups[g]); };
    return {{vreinterpretq_s8_s32(vzip1q_s32(pair(0), pair(1))),
             vreinterpretq_s8_s32(vzip2q_s32(pair(0), pair(1)))},
            {vreinterpretq_s8_s32(vzip1q_s32(pair(2), pair(3))),
             vreinterpretq_s8_s32(vzip2q_s32(pair(2), pair(3)))}};
  }
  FLOWSPEC_PART static X load(const std::int8_t* row, const std::int8_t* last) {
    const int64x2_t first = vreinterpretq_s64_s8(vld1q_s8(row));
    const int64x2_t second = vreinterpretq_s64_s8(vld1q_s8(last));
    return {vreinterpretq_s8_s64(vzip1q_s64(first, second)),
            vreinterpretq_s8_s64(vzip2q_s64(first, second))};
  }
  FLOWSPEC_PART static void clear(Small& sum) { sum.first = sum.second = vdupq_n_s32(0); }
  FLOWSPEC_PART static void add(Small& sum, const Weights& w, const X& x) {
    sum.first = vmmlaq_s32(sum.first, w.near[0], x.near);
    sum.second = vmmlaq_s32(sum.second, w.near[1], x.near);
    sum.first = vmmlaq_s32(sum.first, w.far[0], x.far);
    sum.second = vmmlaq_s32(sum.second, w.far[1], x.far);
  }
  FLOWSPEC_PART static void total(const Small& sum, int32x4_t* to) {
    to[0] = vuzp1q_s32(sum.first, sum.second);
    to[1] = vuzp2q_s32(sum.first, sum.second);
  }
};

constexpr std::size_t most_rows = 8;
using AllTiles = std::array<Tile, most_rows>;

/// Few rows by dot products, more by this file's tiles, which are for 4, 5, ... rows.
AllTiles behind(Tiles dot, const std::array<Tile, most_rows - 3>& many) {
  return {dot[0], dot[1], dot[2], many[0], many[1], many[2], many[3], many[4]};
}

template <Legacy type>
AllTiles legacy_tiles(const TypeTiles& dot) {
  return behind(dot.tiles, {legacy<MatrixMultiply, type, 4>, legacy<MatrixMultiply, type, 5>,
                            legacy<MatrixMultiply, type, 6>, legacy<MatrixMultiply, type, 7>,
                            legacy<MatrixMultiply, type, 8>});
}

template <bool has_high_bits>
AllTiles nibble_tiles(const TypeTiles& dot) {
  return behind(
      dot.tiles,
      {nibbles<MatrixMultiply, has_high_bits, 4>, nibbles<MatrixMultiply, has_high_bits, 5>,
       nibbles<MatrixMultiply, has_high_bits, 6>, nibbles<MatrixMultiply, has_high_bits, 7>,
       nibbles<MatrixMultiply, has_high_bits, 8>});
}

AllTiles q6_k_tiles(const TypeTiles& dot) {
  return behind(dot.tiles,
                {q6_k<MatrixMultiply, 4>, q6_k<MatrixMultiply, 5>, q6_k<MatrixMultiply, 6>,
                 q6_k<MatrixMultiply, 7>, q6_k<MatrixMultiply, 8>});
}

}  // namespace

const KernelSet* neon_i8mm_kernels() {
  const KernelSet* dot = neon_dot_kernels();
  if (dot == nullptr || !cpu_has_i8mm())
    return nullptr;
  static const AllTiles q8_0 = legacy_tiles<Legacy::q8_0>(dot->blocks.q8_0);
  static const AllTiles q4_0 = legacy_tiles<Legacy::q4_0>(dot->blocks.q4_0);
  static const AllTiles q4_1 = legacy_tiles<Legacy::q4_1>(dot->blocks.q4_1);
  static const AllTiles q5_1 = legacy_tiles<Legacy::q5_1>(dot->blocks.q5_1);
  static const AllTiles q4_k = nibble_tiles<false>(dot->supers.q4_k);
  static const AllTiles q5_k = nibble_tiles<true>(dot->supers.q5_k);
  static const AllTiles q6_k = q6_k_tiles(dot->supers.q6_k);
  static const KernelSet set{
      "neon-i8mm", dot->floats, {{q8_0}, {q4_0}, {q4_1}, {q5_1}}, {{q4_k}, {q5_k}, {q6_k}}};
  return &set;
}

}  // namespace flowspec::packed

#else

namespace flowspec::packed {
const KernelSet* neon_i8mm_kernels() {
  return nullptr;
}
}  // namespace flowspec::packed

#endif
