// K-quants in plain C++.
#include <array>
#include <cstring>

#include "models/ops/packed/kernels.hpp"
#include "models/ops/packed/panel.hpp"

namespace flowspec::packed {
namespace {

using Integers = std::array<std::int32_t, panel_outputs>;
using Floats = std::array<float, panel_outputs>;

float half_at(const std::byte* halves, std::size_t output) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, halves + 2 * output, sizeof bits);
  return f16_to_float(bits);
}

int byte_at(const std::byte* bytes, std::size_t i) {
  return std::to_integer<int>(bytes[i]);
}

template <bool has_high_bits>
void nibbles(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
             std::size_t /*stride*/) {
  const SuperPanel<320, has_high_bits ? 2560 : 2048> from(panel, rows.inputs);
  Floats total{};
  for (std::size_t b = 0; b < from.blocks; ++b) {
    const std::byte* front = from.front(b);
    const std::byte* body = from.body(b);
    const std::int8_t* x = rows.values + row * rows.inputs + 256 * b;
    const std::int32_t* row_sums = rows.sums + (row * from.blocks + b) * 16;
    Integers sums{};
    Integers mins{};
    for (std::size_t s = 0; s < 8; ++s) {
      const std::int32_t x_sum = row_sums[2 * s] + row_sums[2 * s + 1];
      for (std::size_t o = 0; o < panel_outputs; ++o) {
        std::int32_t dot = 0;
        for (std::size_t i = 0; i < 32; ++i) {
          const std::size_t at = (i / 4 * panel_outputs + o) * 4 + i % 4;
          const int both = byte_at(body, s / 2 * 512 + at);
          int q = s % 2 == 0 ? both & 15 : both >> 4;
          if (has_high_bits)
            q |= (byte_at(body, 2048 + at) >> s & 1) << 4;
          dot += q * x[32 * s + i];
        }
        sums[o] += byte_at(front, 64 + panel_outputs * s + o) * dot;
        mins[o] += byte_at(front, 64 + panel_outputs * (8 + s) + o) * x_sum;
      }
    }
    const float scale = rows.scales[row * from.blocks + b];
    for (std::size_t o = 0; o < panel_outputs; ++o) {
      total[o] += static_cast<float>(sums[o]) * (half_at(front, o) * scale);
      total[o] -= static_cast<float>(mins[o]) * (half_at(front + 32, o) * scale);
    }
  }
  std::memcpy(out, total.data(), sizeof total);
}

void q6_k(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
          std::size_t /*stride*/) {
  const SuperPanel<288, 3072> from(panel, rows.inputs);
  Floats total{};
  for (std::size_t b = 0; b < from.blocks; ++b) {
    const std::byte* front = from.front(b);
    const std::byte* body = from.body(b);
    const std::int8_t* x = rows.values + row * rows.inputs + 256 * b;
    Integers sums{};
    for (std::size_t i = 0; i < 256; ++i) {
      const std::size_t part = i % 128;
      const std::size_t low = i / 128 * 64 + part % 64;
      const std::size_t high = 128 + i / 128 * 32 + part % 32;
      for (std::size_t o = 0; o < panel_outputs; ++o) {
        const int both = byte_at(body, (low / 4 * panel_outputs + o) * 4 + low % 4);
        const int upper = byte_at(body, (high / 4 * panel_outputs + o) * 4 + high % 4);
        const int q = (part < 64 ? both & 15 : both >> 4) | (upper >> part / 32 * 2 & 3) << 4;
        const auto scale = static_cast<std::int8_t>(front[32 + panel_outputs * (i / 16) + o]);
        sums[o] += scale * (q - 32) * x[i];
      }
    }
    const float scale = rows.scales[row * from.blocks + b];
    for (std::size_t o = 0; o < panel_outputs; ++o)
      total[o] += static_cast<float>(sums[o]) * (half_at(front, o) * scale);
  }
  std::memcpy(out, total.data(), sizeof total);
}

}  // namespace

SuperTiles plain_super_tiles() {
  static constexpr Tile q4_k_tiles[] = {nibbles<false>};
  static constexpr Tile q5_k_tiles[] = {nibbles<true>};
  static constexpr Tile q6_k_tiles[] = {q6_k};
  return {{q4_k_tiles}, {q5_k_tiles}, {q6_k_tiles}};
}

}  // namespace flowspec::packed
