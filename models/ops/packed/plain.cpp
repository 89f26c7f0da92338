// Plain C++ for machines without kernels of their own, and the pattern that the others follow.
#include <array>
#include <cstring>

#include "models/ops/packed/kernels.hpp"
#include "models/ops/packed/panel.hpp"

namespace flowspec::packed {
namespace {

using Integers = std::array<std::int32_t, panel_outputs>;

/// sums[o] += w[o] . x, for a group of 4 inputs.
template <class Weight>
void add_group(const Weight& weight, const std::int8_t* x, Integers& sums) {
  for (std::size_t o = 0; o < panel_outputs; ++o) {
    for (std::size_t i = 0; i < 4; ++i) {
      sums[o] += weight(4 * o + i) * x[i];
    }
  }
}

void add_block(const Integers& sums, const std::byte* scales, float row_scale, float* out) {
  for (std::size_t o = 0; o < panel_outputs; ++o) {
    std::uint16_t half = 0;
    std::memcpy(&half, scales + 2 * o, sizeof half);
    out[o] += static_cast<float>(sums[o]) * (f16_to_float(half) * row_scale);
  }
}

void q8_0(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
          std::size_t /*stride*/) {
  const LegacyPanel<512> from(panel, rows.inputs);
  std::array<float, panel_outputs> total{};
  for (std::size_t b = 0; b < from.blocks; ++b) {
    Integers sums{};
    for (std::size_t g = 0; g < 8; ++g) {
      const std::byte* w = from.body(b) + 64 * g;
      add_group([w](std::size_t i) { return int{static_cast<std::int8_t>(w[i])}; },
                rows.values + row * rows.inputs + 32 * b + 4 * g, sums);
    }
    add_block(sums, from.scales(b), rows.scales[row * from.blocks + b], total.data());
  }
  std::memcpy(out, total.data(), sizeof total);
}

void q4_0(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
          std::size_t /*stride*/) {
  const LegacyPanel<256> from(panel, rows.inputs);
  std::array<float, panel_outputs> total{};
  for (std::size_t b = 0; b < from.blocks; ++b) {
    Integers sums;
    sums.fill(-8 * rows.sums[row * from.blocks + b]);
    for (std::size_t g = 0; g < 4; ++g) {
      const std::byte* w = from.body(b) + 64 * g;
      const std::int8_t* x = rows.values + row * rows.inputs + 32 * b + 4 * g;
      add_group([w](std::size_t i) { return static_cast<int>(w[i]) & 15; }, x, sums);
      add_group([w](std::size_t i) { return static_cast<int>(w[i]) >> 4; }, x + 16, sums);
    }
    add_block(sums, from.scales(b), rows.scales[row * from.blocks + b], total.data());
  }
  std::memcpy(out, total.data(), sizeof total);
}

}  // namespace

const KernelSet* plain_kernels() {
  static constexpr Tile q8_0_tiles[] = {q8_0};
  static constexpr Tile q4_0_tiles[] = {q4_0};
  static const KernelSet set{
      "plain", plain_float_tiles(), {{q8_0_tiles}, {q4_0_tiles}}, plain_super_tiles()};
  return &set;
}

}  // namespace flowspec::packed
