// Products with packed weights: the same bits from every implementation, and close to the
// formula in double precision.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/formats/gguf.hpp"
#include "models/ops/linear.hpp"
#include "models/ops/packed/kernels.hpp"
#include "models/ops/packed/rows.hpp"
#include "tests/support/gguf_writer.hpp"
#include "tests/support/quantize.hpp"
#include "tests/support/reference_model.hpp"
#include "tests/support/tree_run.hpp"

using namespace flowspec;
using namespace flowspec::test;

namespace {

constexpr std::array types{TensorType::f32,  TensorType::f16,  TensorType::bf16, TensorType::q8_0,
                           TensorType::q4_0, TensorType::q4_1, TensorType::q5_0, TensorType::q5_1,
                           TensorType::q4_k, TensorType::q5_k, TensorType::q6_k};

/// Chooses an implementation for as long as it lives.
class UseKernels {
 public:
  explicit UseKernels(const packed::KernelSet& kernels) { packed::use_kernels(kernels); }
  ~UseKernels() { packed::use_kernels(before_); }
  UseKernels(const UseKernels&) = delete;
  UseKernels& operator=(const UseKernels&) = delete;

 private:
  const packed::KernelSet& before_ = packed::kernels_in_use();
};

/// Random floats, or for quantised types random bits: every small scale and every integer may
/// occur.
class RandomMatrix {
 public:
  RandomMatrix(TensorType type, std::size_t inputs, std::size_t outputs, std::uint32_t seed) {
    std::mt19937 random(seed);
    tensor.type = type;
    tensor.shape = {inputs, outputs};
    const BlockLayout layout = *block_layout(type);
    if (layout.values == 1) {
      std::normal_distribution<float> normal;
      std::vector<float> values(inputs * outputs);
      std::ranges::generate(values, [&] { return normal(random); });
      const std::string bytes = convert(type, values);
      const auto view = std::as_bytes(std::span(bytes));
      bytes_.assign(view.begin(), view.end());
      tensor.data = bytes_;
      return;
    }
    bytes_.resize(inputs / layout.values * layout.bytes * outputs);
    std::ranges::generate(bytes_, [&] { return static_cast<std::byte>(random()); });
    for (std::size_t block = 0; block < bytes_.size(); block += layout.bytes)
      for (const std::size_t at : scales_of(type))
        limit_scale(block + at);
    tensor.data = bytes_;
  }
  RandomMatrix(const RandomMatrix&) = delete;
  RandomMatrix& operator=(const RandomMatrix&) = delete;

  TensorInfo tensor;

 private:
  static std::vector<std::size_t> scales_of(TensorType type) {
    switch (type) {
      case TensorType::q4_1:
      case TensorType::q5_1:
      case TensorType::q4_k:
      case TensorType::q5_k:
        return {0, 2};
      case TensorType::q6_k:
        return {208};
      default:
        return {0};
    }
  }

  // Magnitudes below 2, among them zeros and subnormal numbers.
  void limit_scale(std::size_t at) {
    bytes_[at + 1] &= std::byte{0xbf};
    if ((bytes_[at + 1] & std::byte{0x38}) == std::byte{0x08})
      bytes_[at + 1] &= std::byte{0x83};
  }

  std::vector<std::byte> bytes_;
};

std::vector<float> random_rows(std::size_t rows, std::size_t inputs, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(rows * inputs);
  for (std::size_t i = 0; i < values.size(); ++i) {
    // Blocks of very different size, some all zero.
    const std::size_t kind = i / 32 % 7;
    values[i] = kind == 3 ? 0.0F : normal(random) * (kind == 5 ? 1e4F : 1.0F);
  }
  return values;
}

std::vector<float> multiply(const Linear& linear, std::span<const float> in, std::size_t rows) {
  std::vector<float> out(rows * linear.outputs());
  linear.apply(in, rows, out);
  return out;
}

struct Shape {
  std::size_t inputs;
  std::size_t outputs;
};

BOOST_AUTO_TEST_CASE(every_implementation_gives_the_same_bits) {
  // Every size of a tile, several tiles of nearly equal size, and more than are multiplied in one part.
  std::vector<std::size_t> counts(20);
  std::iota(counts.begin(), counts.end(), 1);
  counts.insert(counts.end(), {31, 42, 64, 131, 265});
  const std::size_t most_rows = counts.back();
  for (const packed::KernelSet* kernels : packed::available_kernels())
    BOOST_TEST_MESSAGE("available: " << kernels->name);
  for (const TensorType type : types) {
    const std::size_t block = block_layout(type)->values;
    for (const Shape& shape : {Shape{block, 1}, Shape{3 * block, 16}, Shape{2 * block, 53},
                               Shape{256, 150}, Shape{37 * block, 21}}) {
      const RandomMatrix matrix(type, shape.inputs, shape.outputs, 5);
      const TensorInfo* parts[] = {&matrix.tensor};
      const std::vector<float> in = random_rows(most_rows, shape.inputs, 9);
      std::vector<float> expected;
      {
        const UseKernels use(*packed::plain_kernels());
        const Linear alone(LinearContext(1, LinearForm::packed), parts);
        for (std::size_t r = 0; r < most_rows; ++r) {
          const auto row = multiply(alone, std::span(in).subspan(r * shape.inputs), 1);
          expected.insert(expected.end(), row.begin(), row.end());
        }
      }
      for (const packed::KernelSet* kernels : packed::available_kernels()) {
        const UseKernels use(*kernels);
        for (const unsigned threads : {1U, 2U}) {
          const Linear linear(LinearContext(threads, LinearForm::packed), parts);
          std::size_t differing = 0;
          for (const std::size_t rows : counts) {
            const auto end = expected.begin() + static_cast<std::ptrdiff_t>(rows * shape.outputs);
            differing += same_bits(multiply(linear, in, rows), {expected.begin(), end}) ? 0 : 1;
          }
          BOOST_TEST(differing == 0U, kernels->name << ", " << type_name(type) << ", "
                                                    << shape.inputs << " to " << shape.outputs
                                                    << ", " << threads << " threads");
        }
      }
    }
  }
}

/// The row as it is multiplied: integers times scales, both computed as floats are.
std::vector<double> quantised(std::span<const float> row, std::size_t block) {
  if (block == 0)
    return {row.begin(), row.end()};
  std::vector<double> result;
  for (std::size_t first = 0; first < row.size(); first += block) {
    float largest = 0;
    for (const float x : row.subspan(first, block))
      largest = std::max(largest, std::abs(x));
    const float scale = largest / 127;
    for (const float x : row.subspan(first, block)) {
      const float whole = largest == 0 ? 0 : std::nearbyint(x * (127 / largest));
      result.push_back(static_cast<double>(scale) * static_cast<double>(whole));
    }
  }
  return result;
}

BOOST_AUTO_TEST_CASE(products_are_close_to_the_formula) {
  // An output is a sum of one or two terms for each block (or input), each of which is rounded at
  // most three times and added with one rounding more: 2^-24 bounds each relative to the sum of
  // magnitudes.
  for (const TensorType type : types) {
    const std::size_t block = block_layout(type)->values;
    const std::size_t inputs = 512;
    const std::size_t outputs = 50;
    const RandomMatrix matrix(type, inputs, outputs, 21);
    std::vector<float> weights(inputs * outputs);
    to_float(type, matrix.tensor.data, weights);
    const TensorInfo* parts[] = {&matrix.tensor};
    const Linear linear(LinearContext(1, LinearForm::packed), parts);
    const std::vector<float> in = random_rows(9, inputs, 31);
    const std::vector<float> out = multiply(linear, in, 9);
    double worst = 0;
    for (std::size_t r = 0; r < 9; ++r) {
      const auto x = quantised(std::span(in).subspan(r * inputs, inputs), quantised_block(type));
      for (std::size_t o = 0; o < outputs; ++o) {
        double exact = 0;
        double magnitude = 0;
        for (std::size_t i = 0; i < inputs; ++i) {
          const double term = static_cast<double>(weights[o * inputs + i]) * x[i];
          exact += term;
          magnitude += std::abs(term);
        }
        const double error = std::abs(static_cast<double>(out[r * outputs + o]) - exact);
        worst = std::max(worst, magnitude == 0 ? error : error / magnitude);
      }
    }
    BOOST_TEST_MESSAGE(type_name(type) << ": largest error " << worst << " of the magnitudes");
    const double terms = 2.0 * inputs / static_cast<double>(block);
    BOOST_TEST(worst < (terms + 4) * std::ldexp(1.0, -24), type_name(type));
  }
}

BOOST_AUTO_TEST_CASE(activations_round_to_the_nearest_integer) {
  std::vector<float> in(256);
  for (std::size_t i = 0; i < in.size(); ++i)
    in[i] = static_cast<float>(i) - 128.25F;
  in[0] = -127;  // the block's largest magnitude is 127 exactly
  packed::RowBuffer buffer;
  const packed::Rows rows = buffer.quantise(in, 1, 256, 256);
  BOOST_TEST(rows.scales[0] == 127.25F / 127);
  for (std::size_t i = 0; i < in.size(); ++i) {
    BOOST_TEST(std::abs(static_cast<float>(rows.values[i]) * rows.scales[0] - in[i]) <=
               0.5001F * rows.scales[0]);
  }
  for (std::size_t s = 0; s < 16; ++s) {
    const auto* first = rows.values + 16 * s;
    BOOST_TEST(rows.sums[s] == std::accumulate(first, first + 16, 0));
  }
}

BOOST_AUTO_TEST_CASE(rows_that_are_zero_tiny_or_not_finite) {
  const RandomMatrix matrix(TensorType::q8_0, 64, 16, 3);
  const TensorInfo* parts[] = {&matrix.tensor};
  const Linear linear(LinearContext(1), parts);
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> in(5 * 64, 0.0F);
  in[64] = 1e-38F;
  in[2 * 64 + 40] = -infinity;
  in[3 * 64 + 1] = nan;
  in[3 * 64 + 2] = infinity;
  in[4 * 64] = 3e38F;
  const std::vector<float> out = multiply(linear, in, 5);
  for (std::size_t o = 0; o < 16; ++o) {
    BOOST_TEST(out[o] == 0.0F);
    BOOST_TEST(out[16 + o] == 0.0F);
    BOOST_TEST(std::isnan(out[2 * 16 + o]));
    BOOST_TEST(std::isnan(out[3 * 16 + o]));
    BOOST_TEST(!std::isnan(out[4 * 16 + o]));
  }
}

BOOST_AUTO_TEST_CASE(parts_of_different_types_are_stacked) {
  constexpr std::size_t inputs = 256;
  const RandomMatrix first(TensorType::q8_0, inputs, 20, 1);
  const RandomMatrix second(TensorType::f32, inputs, 7, 2);
  const RandomMatrix third(TensorType::bf16, inputs, 9, 3);
  const RandomMatrix fourth(TensorType::q4_0, inputs, 33, 4);
  const RandomMatrix fifth(TensorType::q6_k, inputs, 17, 5);
  const std::vector<const TensorInfo*> parts{&first.tensor, &second.tensor, &third.tensor,
                                             &fourth.tensor, &fifth.tensor};
  const LinearContext context(1);
  const Linear stacked(context, parts);
  const LinearContext other(2);
  const Linear shared(other, stacked);
  const std::vector<float> in = random_rows(5, inputs, 77);
  const std::vector<float> out = multiply(stacked, in, 5);
  BOOST_TEST(same_bits(multiply(shared, in, 5), out));
  std::size_t column = 0;
  for (const TensorInfo* part : parts) {
    const Linear linear(context, {&part, 1});
    const std::vector<float> alone = multiply(linear, in, 5);
    const std::size_t outputs = linear.outputs();
    for (std::size_t r = 0; r < 5; ++r) {
      for (std::size_t o = 0; o < outputs; ++o) {
        const float value = out[r * stacked.outputs() + column + o];
        BOOST_TEST((value == alone[r * outputs + o] || std::isnan(value)));
      }
    }
    column += outputs;
  }
  BOOST_TEST(column == stacked.outputs());
}

}  // namespace
