// Float weights in plain C++. Compilers vectorise this if the CPU has fused multiply-add.
#include <array>
#include <cmath>
#include <cstring>

#include "models/ops/packed/kernels.hpp"

namespace flowspec::packed {
namespace {

float from_f32(const std::byte* at) {
  float value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

float from_f16(const std::byte* at) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  return f16_to_float(bits);
}

float from_bf16(const std::byte* at) {
  std::uint16_t half = 0;
  std::memcpy(&half, at, sizeof half);
  const std::uint32_t bits = std::uint32_t{half} << 16;
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

template <float (*weight)(const std::byte*), std::size_t bytes>
void multiply(const std::byte* panel, const Rows& rows, std::size_t row, float* out,
              std::size_t /*stride*/) {
  std::array<float, panel_outputs> sums{};
  for (std::size_t i = 0; i < rows.inputs; ++i) {
    const float x = rows.floats[row * rows.inputs + i];
    for (std::size_t o = 0; o < panel_outputs; ++o, panel += bytes)
      sums[o] = std::fma(x, weight(panel), sums[o]);
  }
  std::memcpy(out, sums.data(), sizeof sums);
}

}  // namespace

FloatTiles plain_float_tiles() {
  static constexpr Tile f32[] = {multiply<from_f32, 4>};
  static constexpr Tile f16[] = {multiply<from_f16, 2>};
  static constexpr Tile bf16[] = {multiply<from_bf16, 2>};
  return {{f32}, {f16}, {bf16}};
}

}  // namespace flowspec::packed
