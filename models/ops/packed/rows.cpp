#include "models/ops/packed/rows.hpp"

#include <cassert>
#include <limits>

#include "models/base/cores.hpp"
#include "models/kernels/clones.hpp"
#include "models/kernels/vector.hpp"

namespace flowspec::packed {
namespace {

using simd::fill;
using simd::Float8;
using simd::Int8;
using simd::lanes;
using simd::load;
using Bytes16 = std::int8_t __attribute__((vector_size(16)));
using Bytes32 = std::int8_t __attribute__((vector_size(32)));

constexpr std::size_t step = 2 * lanes;

/// The vector with lanes that are `distance` apart exchanged: the steps of a reduction.
template <std::size_t distance>
FLOWSPEC_INLINE Int8 exchanged(const Int8& v) {
  static_assert(distance == 4 || distance == 2 || distance == 1);
  if constexpr (distance == 4)
    return __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
  else if constexpr (distance == 2)
    return __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5);
  else
    return __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6);
}

FLOWSPEC_INLINE Int8 max(const Int8& a, const Int8& b) {
  return a > b ? a : b;
}

/// The bits of the largest magnitude. Compared as integers they are ordered like the magnitudes,
/// with infinity and then NaN as the largest, so that neither is missed.
FLOWSPEC_INLINE std::int32_t largest_bits(const float* x, std::size_t count) {
  Int8 largest = {};
  for (std::size_t i = 0; i < count; i += lanes) {
    Int8 bits;
    std::memcpy(&bits, x + i, sizeof bits);
    bits &= 0x7fffffff;
    largest = max(bits, largest);
  }
  largest = max(largest, exchanged<4>(largest));
  largest = max(largest, exchanged<2>(largest));
  largest = max(largest, exchanged<1>(largest));
  return largest[0];
}

/// The sum of all lanes.
FLOWSPEC_INLINE std::int32_t sum_of(const Int8& v) {
  const Int8 four = v + exchanged<4>(v);
  const Int8 two = four + exchanged<2>(four);
  return two[0] + two[1];
}

/// Rounds 16 products to integers; adds them to `total`.
FLOWSPEC_INLINE void round_step(const float* x, const Float8& factor, std::int8_t* out,
                                Int8& total) {
  // Adding 1.5 * 2^23 rounds to an integer, which is then in the low bits.
  const Float8 magic = fill(12582912.0F);
  Int8 whole[2];
  Bytes32 bytes[2];
  for (std::size_t i = 0; i < 2; ++i) {
    const Float8 shifted = load(x + i * lanes) * factor + magic;
    std::memcpy(&whole[i], &shifted, sizeof shifted);
    std::memcpy(&bytes[i], &shifted, sizeof shifted);
    total += whole[i] - 0x4b400000;
  }
  const Bytes16 low = __builtin_shufflevector(bytes[0], bytes[1], 0, 4, 8, 12, 16, 20, 24, 28, 32,
                                              36, 40, 44, 48, 52, 56, 60);
  std::memcpy(out, &low, sizeof low);
}

struct Block {
  float scale;
  float factor;
};

FLOWSPEC_INLINE Block scale_of(std::int32_t bits) {
  float largest = 0;
  std::memcpy(&largest, &bits, sizeof largest);
  if (!(largest <= std::numeric_limits<float>::max()))
    return {std::numeric_limits<float>::quiet_NaN(), 0};
  // For a smaller magnitude the factor would not be finite.
  return largest < 1e-30F ? Block{0, 0} : Block{largest / 127, 127 / largest};
}

FLOWSPEC_CLONES
void quantise_row(const float* x, std::size_t count, std::size_t block, std::size_t sum_block,
                  std::int8_t* values, float* scales, std::int32_t* sums) {
  for (std::size_t first = 0; first < count; first += block) {
    const Block scale = scale_of(largest_bits(x + first, block));
    *scales++ = scale.scale;
    if (scale.factor == 0) {  // 0 times infinity would not be 0
      std::memset(values + first, 0, block);
      std::memset(sums, 0, block / sum_block * sizeof *sums);
      sums += block / sum_block;
      continue;
    }
    const Float8 factor = fill(scale.factor);
    for (std::size_t i = first; i < first + block; i += sum_block) {
      Int8 total = {};
      for (std::size_t j = i; j < i + sum_block; j += step)
        round_step(x + j, factor, values + j, total);
      *sums++ = sum_of(total);
    }
  }
}

}  // namespace

Rows Rows::part(std::size_t first, std::size_t part_count) const {
  assert(first + part_count <= count);
  Rows result = *this;
  if (block == 1) {
    result.floats += first * inputs;
  } else {
    result.values += first * inputs;
    result.scales += first * (inputs / block);
    result.sums += first * (inputs / sum_block);
    if (sums_of_32 != nullptr)
      result.sums_of_32 += first * (inputs / 32);
  }
  result.count = part_count;
  return result;
}

Rows RowBuffer::quantise(std::span<const float> in, std::size_t count, std::size_t inputs,
                         std::size_t block, unsigned threads) {
  const std::size_t sum_block = block == 32 ? 32 : step;
  assert((block == 32 || block == 256) && inputs % block == 0 && in.size() >= count * inputs);
  std::int8_t* values = values_.grow(count * inputs);
  float* scales = scales_.grow(count * inputs / block);
  std::int32_t* sums = sums_.grow(count * inputs / sum_block);
  cores::share_rows(threads, count, count * inputs, [&](std::size_t r) {
    quantise_row(in.data() + r * inputs, inputs, block, sum_block, values + r * inputs,
                 scales + r * (inputs / block), sums + r * (inputs / sum_block));
  });
  Rows rows{.values = values,
            .scales = scales,
            .sums = sums,
            .count = count,
            .inputs = inputs,
            .block = block,
            .sum_block = sum_block};
  if (block == 256) {
    std::int16_t* pairs = sums_of_32_.grow(count * inputs / 32);
    for (std::size_t i = 0; i < count * inputs / 32; ++i)
      pairs[i] = static_cast<std::int16_t>(sums[2 * i] + sums[2 * i + 1]);
    rows.sums_of_32 = pairs;
  }
  return rows;
}

}  // namespace flowspec::packed
