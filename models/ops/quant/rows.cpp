#include "models/ops/quant/rows.hpp"

#include <cassert>
#include <limits>

#include "models/ops/clones.hpp"
#include "models/ops/vector.hpp"

namespace flowspec::quant {
namespace {

using simd::fill;
using simd::Float8;
using simd::Int8;
using simd::lanes;
using simd::load;
using Bytes8 = std::int8_t __attribute__((vector_size(8)));

constexpr std::size_t step = 2 * lanes;

/// Bits of the largest magnitude. As integers they are ordered like the magnitudes, with infinity
/// and then NaN on top, so that neither can hide.
FLOWSPEC_INLINE std::int32_t largest_bits(const float* x, std::size_t count) {
  Int8 largest = {};
  for (std::size_t i = 0; i < count; i += lanes) {
    Int8 bits;
    std::memcpy(&bits, x + i, sizeof bits);
    bits &= 0x7fffffff;
    largest = bits > largest ? bits : largest;
  }
  std::int32_t top = 0;
  for (std::size_t i = 0; i < lanes; ++i) {
    top = largest[i] > top ? largest[i] : top;
  }
  return top;
}

/// Rounds 16 products to integers; returns their sum.
FLOWSPEC_INLINE std::int32_t round_step(const float* x, const Float8& factor, std::int8_t* out) {
  // Adding 1.5 * 2^23 rounds to an integer, which is then in the low bits.
  const Float8 magic = fill(12582912.0F);
  Int8 total = {};
  for (std::size_t i = 0; i < step; i += lanes) {
    const Float8 shifted = load(x + i) * factor + magic;
    Int8 whole;
    std::memcpy(&whole, &shifted, sizeof whole);
    whole -= 0x4b400000;
    total += whole;
    const auto bytes = __builtin_convertvector(whole, Bytes8);
    std::memcpy(out + i, &bytes, sizeof bytes);
  }
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < lanes; ++i) {
    sum += total[i];
  }
  return sum;
}

struct Block {
  float scale;
  float factor;
};

FLOWSPEC_INLINE Block scale_of(std::int32_t bits) {
  float largest = 0;
  std::memcpy(&largest, &bits, sizeof largest);
  if (!(largest <= std::numeric_limits<float>::max())) {
    return {std::numeric_limits<float>::quiet_NaN(), 0};
  }
  // The factor of a smaller one would not be finite.
  return largest < 1e-30F ? Block{0, 0} : Block{largest / 127, 127 / largest};
}

FLOWSPEC_CLONES
void quantise_row(const float* x, std::size_t count, std::size_t block, std::size_t sum_block,
                  std::int8_t* values, float* scales, std::int32_t* sums) {
  for (std::size_t first = 0; first < count; first += block) {
    const Block scale = scale_of(largest_bits(x + first, block));
    *scales++ = scale.scale;
    for (std::size_t i = first; i < first + block; i += sum_block) {
      std::int32_t sum = 0;
      for (std::size_t j = i; j < i + sum_block; j += step) {
        if (scale.factor == 0) {  // also where 0 times infinity would not be 0
          std::memset(values + j, 0, step);
        } else {
          sum += round_step(x + j, fill(scale.factor), values + j);
        }
      }
      *sums++ = sum;
    }
  }
}

}  // namespace

Rows RowBuffer::quantise(std::span<const float> in, std::size_t count, std::size_t inputs,
                         std::size_t block) {
  const std::size_t sum_block = block == 32 ? 32 : step;
  assert((block == 32 || block == 256) && inputs % block == 0 && in.size() >= count * inputs);
  const auto grow = [](auto& memory, std::size_t size) {
    if (memory.size() < size) {
      memory.resize(size);
    }
  };
  grow(values_, count * inputs);
  grow(scales_, count * inputs / block);
  grow(sums_, count * inputs / sum_block);
  for (std::size_t r = 0; r < count; ++r) {
    quantise_row(in.data() + r * inputs, inputs, block, sum_block, values_.data() + r * inputs,
                 scales_.data() + r * (inputs / block), sums_.data() + r * (inputs / sum_block));
  }
  return {values_.data(), scales_.data(), sums_.data(), count, inputs, block, sum_block};
}

}  // namespace flowspec::quant
