// Float weights with NEON, which always has fused multiply-add; 16-bit ones are widened in
// registers, exactly.
#include "models/ops/packed/kernels.hpp"

#if defined(__aarch64__)

#include <arm_neon.h>

#define FLOWSPEC_PART [[gnu::always_inline]] inline

namespace flowspec::packed {
namespace {

struct F32 {
  static constexpr std::size_t bytes = 4;
  FLOWSPEC_PART static float32x4_t load(const std::byte* from) {
    return vld1q_f32(reinterpret_cast<const float*>(from));
  }
};

struct F16 {
  static constexpr std::size_t bytes = 2;
  FLOWSPEC_PART static float32x4_t load(const std::byte* from) {
    return vcvt_f32_f16(
        vreinterpret_f16_u16(vld1_u16(reinterpret_cast<const std::uint16_t*>(from))));
  }
};

struct Bf16 {
  static constexpr std::size_t bytes = 2;
  FLOWSPEC_PART static float32x4_t load(const std::byte* from) {
    return vreinterpretq_f32_u32(
        vshll_n_u16(vld1_u16(reinterpret_cast<const std::uint16_t*>(from)), 16));
  }
};

constexpr std::size_t lanes = 4;
constexpr std::size_t in_panel = panel_outputs / lanes;

/// Where the weights of a vector of outputs are, for the current input.
template <class Weight>
struct Place {
  const std::byte* panel;
  std::size_t panel_bytes;

  FLOWSPEC_PART float32x4_t load(std::size_t v) const {
    return Weight::load(panel + v / in_panel * panel_bytes + v % in_panel * lanes * Weight::bytes);
  }
  FLOWSPEC_PART void next() { panel += panel_outputs * Weight::bytes; }
};

/// Adds the products of one input, which is `lane` of the four in x.
template <int lane, class Weight, std::size_t count, std::size_t vectors>
FLOWSPEC_PART void add_input(Place<Weight>& place, const float32x4_t (&x)[count],
                             float32x4_t (&sums)[count][vectors]) {
#pragma GCC unroll 16
  for (std::size_t v = 0; v < vectors; ++v) {
    const float32x4_t w = place.load(v);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < count; ++r)
      sums[r][v] = vfmaq_laneq_f32(sums[r][v], w, x[r], lane);
  }
  place.next();
}

// The sums have to stay in registers: count * vectors is at most 24.
template <class Weight, std::size_t count, std::size_t vectors>
void multiply(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
              std::size_t stride) {
  const std::size_t inputs = rows.inputs;
  const float* const x = rows.floats + row * inputs;
  Place<Weight> place{panel, inputs * panel_outputs * Weight::bytes};
  float32x4_t sums[count][vectors];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < count; ++r) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < vectors; ++v)
      sums[r][v] = vdupq_n_f32(0);
  }
  float32x4_t four[count];
  std::size_t i = 0;
  for (; i + lanes <= inputs; i += lanes) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < count; ++r)
      four[r] = vld1q_f32(x + r * inputs + i);
    add_input<0>(place, four, sums);
    add_input<1>(place, four, sums);
    add_input<2>(place, four, sums);
    add_input<3>(place, four, sums);
  }
  for (; i < inputs; ++i) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < count; ++r)
      four[r] = vdupq_n_f32(x[r * inputs + i]);
    add_input<0>(place, four, sums);
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < count; ++r) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < vectors; ++v)
      vst1q_f32(out + r * stride + v * lanes, sums[r][v]);
  }
}

template <class Weight>
constexpr Tile tiles[] = {multiply<Weight, 1, 4>, multiply<Weight, 2, 4>, multiply<Weight, 3, 4>,
                          multiply<Weight, 4, 4>, multiply<Weight, 5, 4>};

template <class Weight>
constexpr WideTile wide[] = {{multiply<Weight, 1, 16>, 4}, {multiply<Weight, 2, 8>, 2}};

}  // namespace

FloatTiles neon_float_tiles() {
  return {{tiles<F32>, wide<F32>}, {tiles<F16>, wide<F16>}, {tiles<Bf16>, wide<Bf16>}};
}

}  // namespace flowspec::packed

#else

namespace flowspec::packed {
FloatTiles neon_float_tiles() {
  return {};
}
}  // namespace flowspec::packed

#endif
