#include "models/formats/k_quants.hpp"

#include <cstring>

#include "models/formats/tensor_type.hpp"

namespace flowspec {
namespace {

float half_at(const std::byte* at) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  return f16_to_float(bits);
}

/// Q4_K or, with `high`, Q5_K. `high` has the fifth bits: bit s of byte i is for value i of
/// sub-block s.
void nibble_block(const std::byte* in, const std::byte* high, const std::byte* quants, float* out) {
  const float d = half_at(in);
  const float dmin = half_at(in + 2);
  const SubScales sub = unpack_scales(in + 4);
  for (std::size_t s = 0; s < 8; ++s) {
    const float scale = d * static_cast<float>(sub.scales[s]);
    const float least = dmin * static_cast<float>(sub.mins[s]);
    for (std::size_t i = 0; i < 32; ++i) {
      const unsigned both = std::to_integer<unsigned>(quants[s / 2 * 32 + i]);
      unsigned q = s % 2 == 0 ? both & 15 : both >> 4;
      if (high != nullptr)
        q |= (std::to_integer<unsigned>(high[i]) >> s & 1) << 4;
      out[32 * s + i] = scale * static_cast<float>(q) - least;
    }
  }
}

}  // namespace

SubScales unpack_scales(const std::byte* packed) {
  const auto byte = [packed](std::size_t i) { return std::to_integer<unsigned>(packed[i]); };
  SubScales sub{};
  for (std::size_t s = 0; s < 4; ++s) {
    sub.scales[s] = static_cast<std::uint8_t>(byte(s) & 63);
    sub.mins[s] = static_cast<std::uint8_t>(byte(s + 4) & 63);
    sub.scales[s + 4] = static_cast<std::uint8_t>((byte(s + 8) & 15) | byte(s) >> 6 << 4);
    sub.mins[s + 4] = static_cast<std::uint8_t>(byte(s + 8) >> 4 | byte(s + 4) >> 6 << 4);
  }
  return sub;
}

void q4_k_block(const std::byte* in, float* out) {
  nibble_block(in, nullptr, in + 16, out);
}

void q5_k_block(const std::byte* in, float* out) {
  nibble_block(in, in + 16, in + 48, out);
}

// Two halves of 128 values. In each, the low halves of 64 bytes come first, then the high halves.
// The upper two bits come from 32 bytes, each of which has those of four values that are 32 apart.
void q6_k_block(const std::byte* in, float* out) {
  const std::byte* high = in + 128;
  const std::byte* scales = in + 192;
  const float d = half_at(in + 208);
  for (std::size_t i = 0; i < 256; ++i) {
    const std::size_t part = i % 128;
    const unsigned both = std::to_integer<unsigned>(in[i / 128 * 64 + part % 64]);
    const unsigned upper = std::to_integer<unsigned>(high[i / 128 * 32 + part % 32]);
    const unsigned q = (part < 64 ? both & 15 : both >> 4) | (upper >> part / 32 * 2 & 3) << 4;
    const auto scale = static_cast<std::int8_t>(scales[i / 16]);
    out[i] = d * static_cast<float>(scale) * static_cast<float>(static_cast<int>(q) - 32);
  }
}

}  // namespace flowspec
