// The ops against their formulas in double precision.
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "models/formats/gguf.hpp"
#include "models/kernels/kernels.hpp"
#include "models/ops/linear.hpp"
#include "models/ops/rms_norm.hpp"
#include "models/ops/rope.hpp"
#include "models/ops/swiglu.hpp"

using namespace flowspec;

namespace {

std::vector<float> random_values(std::size_t count, float deviation = 1) {
  static std::mt19937 random(23);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(count);
  for (float& value : values)
    value = normal(random);
  return values;
}

/// In units in the last place of the exact value.
double exp_error(float x, float y) {
  const double exact = std::exp(static_cast<double>(x));
  const auto rounded = static_cast<float>(exact);
  const double ulp = static_cast<double>(
      std::nextafter(rounded, std::numeric_limits<float>::infinity()) - rounded);
  return std::abs(static_cast<double>(y) - exact) / ulp;
}

BOOST_AUTO_TEST_CASE(exp_is_within_two_units) {
  std::vector<float> x;
  for (double v = -87.3; v <= 88.3; v += 1.0 / 4096)
    x.push_back(static_cast<float>(v));
  std::vector<float> y(x.size());
  kernels::exp(x.data(), x.size(), y.data());
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    largest = std::max(largest, exp_error(x[i], y[i]));
  BOOST_TEST_MESSAGE("largest error " << largest << " units");
  BOOST_TEST(largest < 2.0);
}

BOOST_AUTO_TEST_CASE(exp_of_extreme_values) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x{0,        -infinity, -1e30F, -88,
                             infinity, 1000,      -0.0F,  std::numeric_limits<float>::quiet_NaN(),
                             88.3F,    -87.3F};
  std::vector<float> y(x.size());
  kernels::exp(x.data(), x.size(), y.data());
  BOOST_TEST(y[0] == 1.0F);
  BOOST_TEST(y[1] == 0.0F);
  BOOST_TEST(y[2] == 0.0F);
  BOOST_TEST(y[3] == 0.0F);
  BOOST_TEST(y[4] == y[8]);
  BOOST_TEST(y[5] == y[8]);
  BOOST_TEST(y[6] == 1.0F);
  BOOST_TEST(std::isnan(y[7]));
  BOOST_TEST(std::isnormal(y[8]));
  BOOST_TEST(std::isnormal(y[9]));
}

BOOST_AUTO_TEST_CASE(rms_norm_follows_its_formula) {
  for (const std::size_t size : {1, 7, 16, 33, 192}) {
    const std::vector<float> weight = random_values(size);
    TensorInfo tensor;
    tensor.shape = {size};
    tensor.data = std::as_bytes(std::span(weight));
    const RmsNorm norm(tensor, 1e-3F);
    const std::vector<float> in = random_values(3 * size);
    std::vector<float> out(in.size());
    norm.apply(in, 3, out);
    for (std::size_t r = 0; r < 3; ++r) {
      const auto row = in.begin() + static_cast<std::ptrdiff_t>(r * size);
      const double squares =
          std::inner_product(row, row + static_cast<std::ptrdiff_t>(size), row, 0.0);
      for (std::size_t i = 0; i < size; ++i) {
        const double exact = static_cast<double>(in[r * size + i]) /
                             std::sqrt(squares / static_cast<double>(size) + 1e-3) *
                             static_cast<double>(weight[i]);
        BOOST_TEST(std::abs(static_cast<double>(out[r * size + i]) - exact) <=
                   1e-6 * std::abs(exact));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(swiglu_follows_its_formula) {
  for (const std::size_t size : {1, 8, 13, 101}) {
    std::vector<float> gate_up = random_values(2 * 2 * size, 5);
    gate_up[0] = -200;
    std::vector<float> out(2 * size);
    SwiGlu(size).apply(gate_up, 2, out);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto gate = static_cast<double>(gate_up[i / size * 2 * size + i % size]);
      const auto up = static_cast<double>(gate_up[i / size * 2 * size + size + i % size]);
      const double exact = gate / (1 + std::exp(-gate)) * up;
      BOOST_TEST(std::abs(static_cast<double>(out[i]) - exact) <= 1e-6 * std::abs(exact) + 1e-30);
    }
  }
}

BOOST_AUTO_TEST_CASE(rope_turns_pairs_or_halves) {
  constexpr std::uint32_t head_dim = 12;
  constexpr std::uint32_t dims = 10;
  constexpr std::size_t stride = 16;
  const std::vector<float> in = random_values(2 * head_dim);
  for (const RopeLayout layout : {RopeLayout::pairs, RopeLayout::halves}) {
    Rope rope(head_dim, dims, 500.0, layout);
    rope.prepare(3000);
    for (const Position position : {0U, 1U, 255U, 256U, 2999U}) {
      std::vector<float> out(2 * stride, 9.0F);
      rope.rotate(in.data(), 2, position, stride, out.data());
      for (std::size_t head = 0; head < 2; ++head) {
        for (std::size_t i = 0; i < dims / 2; ++i) {
          const std::size_t a = layout == RopeLayout::pairs ? 2 * i : i;
          const std::size_t b = layout == RopeLayout::pairs ? 2 * i + 1 : i + dims / 2;
          const double angle = position * std::pow(500.0, -2.0 * static_cast<double>(i) / dims);
          const auto x = static_cast<double>(in[head * head_dim + a]);
          const auto y = static_cast<double>(in[head * head_dim + b]);
          BOOST_TEST(std::abs(static_cast<double>(out[head * stride + a]) -
                              (x * std::cos(angle) - y * std::sin(angle))) < 1e-6);
          BOOST_TEST(std::abs(static_cast<double>(out[head * stride + b]) -
                              (x * std::sin(angle) + y * std::cos(angle))) < 1e-6);
        }
        BOOST_TEST(out[head * stride + 10] == in[head * head_dim + 10]);
        BOOST_TEST(out[head * stride + 11] == in[head * head_dim + 11]);
        for (std::size_t i = head_dim; i < stride; ++i)
          BOOST_TEST(out[head * stride + i] == 0.0F);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(linear_stacks_its_parts_in_all_forms) {
  constexpr std::size_t inputs = 40;
  const std::vector<std::size_t> outputs{300, 5, 260};
  std::vector<std::vector<float>> weights;
  std::vector<TensorInfo> tensors(outputs.size());
  std::vector<const TensorInfo*> parts;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    weights.push_back(random_values(inputs * outputs[i]));
    tensors[i].shape = {inputs, outputs[i]};
    tensors[i].data = std::as_bytes(std::span(weights[i]));
    parts.push_back(&tensors[i]);
  }
  const std::vector<float> in = random_values(9 * inputs);
  for (const LinearForm form : {LinearForm::automatic, LinearForm::packed, LinearForm::matmul}) {
    const LinearContext context(1, form);
    const Linear linear(context, parts);
    BOOST_TEST(linear.inputs() == inputs);
    BOOST_TEST(linear.outputs() == 565U);
    std::vector<float> out(9 * 565);
    linear.apply(in, 9, out);
    double largest = 0;
    for (std::size_t r = 0; r < 9; ++r) {
      std::size_t column = r * 565;
      for (const std::vector<float>& matrix : weights) {
        for (std::size_t o = 0; o < matrix.size(); o += inputs) {
          const double exact = std::inner_product(
              matrix.begin() + static_cast<std::ptrdiff_t>(o),
              matrix.begin() + static_cast<std::ptrdiff_t>(o + inputs),
              in.begin() + static_cast<std::ptrdiff_t>(r * inputs), 0.0, std::plus<>(),
              [](float a, float b) { return static_cast<double>(a) * static_cast<double>(b); });
          largest = std::max(largest, std::abs(static_cast<double>(out[column++]) - exact));
        }
      }
    }
    BOOST_TEST(largest < 2e-5);
  }
}

}  // namespace
