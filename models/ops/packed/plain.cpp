// Plain C++ for machines without special kernels, and the pattern that the others follow.
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
  for (std::size_t o = 0; o < panel_outputs; ++o)
    for (std::size_t i = 0; i < 4; ++i)
      sums[o] += weight(4 * o + i) * x[i];
}

void add_block(const Integers& sums, const std::byte* scales, float row_scale, float* out) {
  for (std::size_t o = 0; o < panel_outputs; ++o) {
    std::uint16_t half = 0;
    std::memcpy(&half, scales + 2 * o, sizeof half);
    out[o] += static_cast<float>(sums[o]) * (f16_to_float(half) * row_scale);
  }
}

template <Legacy type>
void add_minimums([[maybe_unused]] const LegacyPanel<type>& from, [[maybe_unused]] const Rows& rows,
                  [[maybe_unused]] std::size_t row, [[maybe_unused]] std::size_t block,
                  [[maybe_unused]] float* out) {
  if constexpr (has_minimums(type)) {
    const std::size_t at = row * from.blocks + block;
    Integers x_sum;
    x_sum.fill(rows.sums[at]);
    add_block(x_sum, from.minimums(block), rows.scales[at], out);
  }
}

/// Values of a byte: Q8_0 signed, Q5_1 not.
template <Legacy type>
void bytes(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
           std::size_t /*stride*/) {
  const LegacyPanel<type> from(panel, rows.inputs);
  std::array<float, panel_outputs> total{};
  for (std::size_t b = 0; b < from.blocks; ++b) {
    Integers sums{};
    for (std::size_t g = 0; g < 8; ++g) {
      const std::byte* w = from.body(b) + 64 * g;
      add_group([w](std::size_t i) { return int{static_cast<std::int8_t>(w[i])}; },
                rows.values + row * rows.inputs + 32 * b + 4 * g, sums);
    }
    add_block(sums, from.scales(b), rows.scales[row * from.blocks + b], total.data());
    add_minimums(from, rows, row, b, total.data());
  }
  std::memcpy(out, total.data(), sizeof total);
}

template <Legacy type>
void nibbles(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
             std::size_t /*stride*/) {
  const LegacyPanel<type> from(panel, rows.inputs);
  std::array<float, panel_outputs> total{};
  for (std::size_t b = 0; b < from.blocks; ++b) {
    Integers sums;
    sums.fill(has_minimums(type) ? 0 : -8 * rows.sums[row * from.blocks + b]);
    for (std::size_t g = 0; g < 4; ++g) {
      const std::byte* w = from.body(b) + 64 * g;
      const std::int8_t* x = rows.values + row * rows.inputs + 32 * b + 4 * g;
      add_group([w](std::size_t i) { return static_cast<int>(w[i]) & 15; }, x, sums);
      add_group([w](std::size_t i) { return static_cast<int>(w[i]) >> 4; }, x + 16, sums);
    }
    add_block(sums, from.scales(b), rows.scales[row * from.blocks + b], total.data());
    add_minimums(from, rows, row, b, total.data());
  }
  std::memcpy(out, total.data(), sizeof total);
}

}  // namespace

const KernelSet* plain_kernels() {
  static constexpr Tile q8_0[] = {bytes<Legacy::q8_0>};
  static constexpr Tile q4_0[] = {nibbles<Legacy::q4_0>};
  static constexpr Tile q4_1[] = {nibbles<Legacy::q4_1>};
  static constexpr Tile q5_1[] = {bytes<Legacy::q5_1>};
  static const KernelSet set{
      "plain", plain_float_tiles(), {{q8_0}, {q4_0}, {q4_1}, {q5_1}}, plain_super_tiles()};
  return &set;
}

}  // namespace flowspec::packed
